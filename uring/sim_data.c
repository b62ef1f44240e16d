/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk's file contents: sparse pages shared by reference, and the changes that lead
 * from what is on disk to what readers see.
 *
 * Interface: pages_*(), content_*(), change_apply() of sim_pvt.h. Invariants: a page with more
 * than one reference is never written to; bytes behind a file's size are zeros in all three of its
 * states; doing all of its changes to a content's base gives its cache.
 *
 * Order of parts: pages; page tables; changes; contents.
 */
#include <string.h>

#include "sim_pvt.h"

/* ---- pages ------------------------------------------------------------------------------ */

#define LEAF_BYTES ((uint64_t)PAGE_BYTES * PAGES_PER_LEAF)

/* Allocated and never written: stands for zeros, takes space. Its count is not kept. */
static const struct page page_reserved;

static bool is_real(const struct page *pg)
{
	return pg && pg != &page_reserved;
}

static struct page *page_get(struct page *pg)
{
	if (is_real(pg))
		__atomic_add_fetch(&pg->refs, 1, __ATOMIC_RELAXED);
	return pg;
}

static void page_put(struct page *pg)
{
	if (is_real(pg) && !__atomic_sub_fetch(&pg->refs, 1, __ATOMIC_ACQ_REL))
		free(pg);
}

/* A page like @pg, which may be NULL, that the caller alone holds; consumes @pg. */
static struct page *page_own(struct page *pg)
{
	struct page *own;

	if (is_real(pg) && __atomic_load_n(&pg->refs, __ATOMIC_ACQUIRE) == 1)
		return pg;
	own = sim_alloc(sizeof(*own));
	own->refs = 1;
	if (is_real(pg))
		memcpy(own->bytes, pg->bytes, PAGE_BYTES);
	page_put(pg);
	return own;
}

/* ---- page tables ------------------------------------------------------------------------ */

static bool has_leaf(const struct pages *p, uint64_t index)
{
	uint64_t l = index / PAGES_PER_LEAF;

	return l < p->n && p->leaves[l];
}

static struct page *table_get(const struct pages *p, uint64_t index)
{
	return has_leaf(p, index) ?
		       p->leaves[index / PAGES_PER_LEAF]->pages[index % PAGES_PER_LEAF] :
		       NULL;
}

/* The place of page @index, made if need be. */
static struct page **table_slot(struct pages *p, uint64_t index)
{
	uint64_t l = index / PAGES_PER_LEAF;

	SL_ASSERT(index < FILE_BYTES_MAX / PAGE_BYTES);
	if (l >= p->n) {
		uint64_t n = sl_max(l + 1, p->n + p->n / 2);

		p->leaves = realloc(p->leaves, n * sizeof(*p->leaves));
		SL_ASSERT(p->leaves);
		memset(p->leaves + p->n, 0, (n - p->n) * sizeof(*p->leaves));
		p->n = n;
	}
	if (!p->leaves[l])
		p->leaves[l] = sim_alloc(sizeof(struct leaf));
	return &p->leaves[l]->pages[index % PAGES_PER_LEAF];
}

/* Puts @pg at @index, consuming it, and lets go of what was there. */
static void table_set(struct pages *p, uint64_t index, struct page *pg)
{
	struct page **slot;

	if (!pg && !table_get(p, index))
		return;
	slot = table_slot(p, index);
	page_put(*slot);
	*slot = pg;
}

/* One behind the last byte for which @p has room. */
static uint64_t table_end(const struct pages *p)
{
	return p->n * LEAF_BYTES;
}

void pages_done(struct pages *p)
{
	for (uint64_t l = 0; l < p->n; l++) {
		if (!p->leaves[l])
			continue;
		for (int i = 0; i < PAGES_PER_LEAF; i++)
			page_put(p->leaves[l]->pages[i]);
		free(p->leaves[l]);
	}
	free(p->leaves);
	*p = (struct pages){0};
}

/* One behind the last byte of [@off, @off + @len) that lies below @end. */
static uint64_t range_end(uint64_t off, uint64_t len, uint64_t end)
{
	return off >= end || len > end - off ? end : off + len;
}

void pages_share(struct pages *to, const struct pages *from, uint64_t off, uint64_t len)
{
	uint64_t end = range_end(off, len, sl_max(table_end(to), table_end(from)));

	for (uint64_t i = off / PAGE_BYTES; i * PAGE_BYTES < end; i++) {
		if (!has_leaf(to, i) && !has_leaf(from, i)) {
			i |= PAGES_PER_LEAF - 1; /* on to the next leaf */
			continue;
		}
		table_set(to, i, page_get(table_get(from, i)));
	}
}

void pages_share_all(struct pages *to, const struct pages *from)
{
	pages_share(to, from, 0, UINT64_MAX);
}

/* How much of @len at @off lies in @off's page. */
static uint64_t in_page(uint64_t off, uint64_t len)
{
	return sl_min(len, PAGE_BYTES - off % PAGE_BYTES);
}

void pages_read(const struct pages *p, uint64_t off, void *buf, uint64_t len)
{
	uint8_t *to = buf;

	while (len) {
		const struct page *pg = table_get(p, off / PAGE_BYTES);
		uint64_t n = in_page(off, len);

		if (pg)
			memcpy(to, pg->bytes + off % PAGE_BYTES, n);
		else
			memset(to, 0, n);
		to += n;
		off += n;
		len -= n;
	}
}

void pages_write(struct pages *p, uint64_t off, const void *data, uint64_t len)
{
	const uint8_t *from = data;

	while (len) {
		struct page **slot = table_slot(p, off / PAGE_BYTES);
		uint64_t n = in_page(off, len);

		*slot = page_own(*slot);
		memcpy((*slot)->bytes + off % PAGE_BYTES, from, n);
		from += n;
		off += n;
		len -= n;
	}
}

void pages_zero(struct pages *p, uint64_t off, uint64_t len)
{
	uint64_t end = range_end(off, len, table_end(p));

	while (off < end) {
		uint64_t n = in_page(off, end - off);
		struct page *pg = table_get(p, off / PAGE_BYTES);

		if (n == PAGE_BYTES) {
			table_set(p, off / PAGE_BYTES, NULL);
		} else if (is_real(pg)) {
			struct page **slot = table_slot(p, off / PAGE_BYTES);

			*slot = page_own(*slot);
			memset((*slot)->bytes + off % PAGE_BYTES, 0, n);
		}
		off += n;
	}
}

/* Lets no byte be other than zero behind @size; what is reserved there stays so. */
void pages_trim(struct pages *p, uint64_t size)
{
	uint64_t end = table_end(p);

	if (size % PAGE_BYTES)
		pages_zero(p, size, PAGE_BYTES - size % PAGE_BYTES);
	for (uint64_t off = sl_round_up(size, PAGE_BYTES); off < end; off += PAGE_BYTES)
		if (is_real(table_get(p, off / PAGE_BYTES)))
			table_set(p, off / PAGE_BYTES, NULL);
}

void pages_reserve(struct pages *p, uint64_t off, uint64_t len)
{
	for (uint64_t i = off / PAGE_BYTES; i * PAGE_BYTES < off + len; i++)
		if (!table_get(p, i))
			table_set(p, i, (struct page *)&page_reserved);
}

/* Pages that writing [@off, @off + @len) would allocate. */
uint64_t pages_missing(const struct pages *p, uint64_t off, uint64_t len)
{
	uint64_t n = 0;

	for (uint64_t i = off / PAGE_BYTES; i * PAGE_BYTES < off + len; i++)
		n += !table_get(p, i);
	return n;
}

uint64_t pages_count(const struct pages *p)
{
	uint64_t n = 0;

	for (uint64_t l = 0; l < p->n; l++)
		for (int i = 0; p->leaves[l] && i < PAGES_PER_LEAF; i++)
			n += p->leaves[l]->pages[i] != NULL;
	return n;
}

/* ---- changes ---------------------------------------------------------------------------- */

void change_apply(const struct change *ch, struct pages *p)
{
	switch (ch->kind) {
	case CHANGE_WRITE:
		pages_write(p, ch->off, ch->data, ch->len);
		break;
	case CHANGE_PUNCH:
	case CHANGE_TRUNCATE:
		pages_zero(p, ch->off, ch->len);
		break;
	case CHANGE_RESERVE:
		pages_reserve(p, ch->off, ch->len);
		break;
	}
}

static struct change *change_add(struct content *c, enum change_kind kind, uint64_t seq,
				 uint64_t off, uint64_t len, uint64_t size, size_t data_bytes)
{
	struct change *ch = sim_alloc(sizeof(*ch) + data_bytes);

	ch->kind = kind;
	ch->seq = seq;
	ch->off = off;
	ch->len = len;
	ch->size = size;
	sl_list_append(&c->changes, &ch->node);
	return ch;
}

/* Does the change just added to the cache. */
static void change_do(struct content *c, const struct change *ch)
{
	change_apply(ch, &c->cache);
	c->cache_size = ch->size;
}

void content_write(struct content *c, uint64_t seq, uint64_t off, const void *data, uint64_t len)
{
	uint64_t size = sl_max(c->cache_size, off + len);
	struct change *ch = change_add(c, CHANGE_WRITE, seq, off, len, size, len);

	memcpy(ch->data, data, len);
	c->used += pages_missing(&c->cache, off, len);
	change_do(c, ch);
}

void content_punch(struct content *c, uint64_t seq, uint64_t off, uint64_t len)
{
	change_do(c, change_add(c, CHANGE_PUNCH, seq, off, len, c->cache_size, 0));
	c->used = pages_count(&c->cache);
}

void content_reserve(struct content *c, uint64_t seq, uint64_t off, uint64_t len, uint64_t size)
{
	c->used += pages_missing(&c->cache, off, len);
	change_do(c, change_add(c, CHANGE_RESERVE, seq, off, len, size, 0));
}

void content_truncate(struct content *c, uint64_t seq, uint64_t size)
{
	change_do(c, change_add(c, CHANGE_TRUNCATE, seq, size, UINT64_MAX - size, size, 0));
	c->used = pages_count(&c->cache);
}

/* ---- contents --------------------------------------------------------------------------- */

void content_init(struct content *c)
{
	*c = (struct content){0};
	sl_list_init(&c->changes);
}

static void drop_changes(struct content *c)
{
	struct sl_list *n;

	while ((n = sl_list_pop(&c->changes)))
		free(sl_list_entry(n, struct change, node));
}

void content_done(struct content *c)
{
	drop_changes(c);
	pages_done(&c->cache);
	pages_done(&c->base);
	pages_done(&c->disk);
}

void content_copy(struct content *to, const struct content *from)
{
	content_init(to);
	pages_share_all(&to->cache, &from->cache);
	pages_share_all(&to->base, &from->base);
	pages_share_all(&to->disk, &from->disk);
	to->cache_size = from->cache_size;
	to->base_size = from->base_size;
	to->disk_size = from->disk_size;
	to->used = from->used;
	sl_list_each(n, &from->changes) {
		const struct change *ch = sl_list_entry(n, struct change, node);
		size_t bytes = ch->kind == CHANGE_WRITE ? ch->len : 0;

		memcpy(change_add(to, ch->kind, ch->seq, ch->off, ch->len, ch->size, bytes)->data,
		       ch->data, bytes);
	}
}

/* The oldest change if it is not younger than @seq, else NULL. */
static struct change *oldest(struct content *c, uint64_t seq)
{
	struct change *ch = sl_list_first(&c->changes, struct change, node);

	return ch && ch->seq <= seq ? ch : NULL;
}

void content_sync(struct content *c, uint64_t seq, bool lost)
{
	bool all = sl_list_empty(&c->changes) ||
		   sl_list_entry(c->changes.prev, struct change, node)->seq <= seq;
	struct change *ch = oldest(c, seq);
	bool any = ch != NULL;

	/* The base takes the cache's own pages where it may: a synced file is held once. */
	sl_list_each(n, &c->changes) {
		ch = sl_list_entry(n, struct change, node);
		if (ch->seq > seq)
			break;
		if (all)
			pages_share(&c->base, &c->cache, ch->off, ch->len);
		else
			change_apply(ch, &c->base);
		c->base_size = ch->size;
	}
	while ((ch = oldest(c, seq))) {
		if (!lost)
			pages_share(&c->disk, &c->base, ch->off, ch->len);
		sl_list_remove(&ch->node);
		free(ch);
	}
	if (lost || !any)
		return;
	/* The size comes with whatever is written, zeros where a failed sync lost the data. */
	c->disk_size = c->base_size;
	pages_trim(&c->disk, c->disk_size);
}

void content_settle(struct content *c)
{
	drop_changes(c);
	pages_share_all(&c->base, &c->disk);
	pages_share_all(&c->cache, &c->disk);
	c->base_size = c->cache_size = c->disk_size;
	c->used = pages_count(&c->cache);
}

static void flip_in(struct pages *p, uint64_t off, uint8_t mask)
{
	uint8_t byte;

	pages_read(p, off, &byte, 1);
	byte ^= mask;
	pages_write(p, off, &byte, 1);
}

/* The same bit everywhere: also where it has another value, or is not on disk yet. */
void content_flip(struct content *c, uint64_t off, uint8_t mask)
{
	uint64_t used = pages_count(&c->cache);

	flip_in(&c->cache, off, mask);
	if (off < c->base_size)
		flip_in(&c->base, off, mask);
	if (off < c->disk_size)
		flip_in(&c->disk, off, mask);
	sl_list_each(n, &c->changes) {
		struct change *ch = sl_list_entry(n, struct change, node);

		if (ch->kind == CHANGE_WRITE && off >= ch->off && off - ch->off < ch->len)
			ch->data[off - ch->off] ^= mask;
	}
	c->used += pages_count(&c->cache) - used;
}
