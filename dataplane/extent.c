/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files whose extents are in flight: who still holds one.
 *
 * Interface: the second part of buf.h. The home core counts what it granted to others, each core
 * counts what it holds; when a core's count falls to zero it sends home how many it gave back
 * since, in a note of its own that comes back to be used again. Invariant: home's `granted` is
 * never smaller than what the others hold, so that nothing of the file is touched by anybody once
 * it is zero.
 */
#include <errno.h>

#include "core_pvt.h"

/* One foreign core's count; only that core touches it. */
struct sl_file_refs {
	uint32_t held;
	uint32_t granted; /* of home's grants, those that came here since the last note */
};

/* News for a file's home; the memory stays with the core that wrote it. */
struct file_note {
	struct sl_msg msg;
	struct sl_list node; /* core->file_notes */
	struct sl_core *from;
	struct sl_file *file;
	uint32_t returned;
};

int sl_file_init(struct sl_file *file, int fd, void (*gone)(struct sl_file *file))
{
	struct sl_core *core = sl_core_self();
	uint32_t n = core ? sl_cores_count(core->cores) : 0;

	*file = (struct sl_file){.fd = fd, .home = core, .gone = gone, .refs = 1};
	if (n < 2)
		return 0;
	file->foreign = calloc(n, sizeof(*file->foreign));
	return file->foreign ? 0 : -ENOMEM;
}

static void drop_if_unused(struct sl_file *file)
{
	if (file->refs || file->granted)
		return;
	free(file->foreign);
	file->foreign = NULL;
	file->gone(file);
}

static struct sl_file_refs *refs_here(struct sl_file *file)
{
	struct sl_core *core = sl_core_self();

	return core == file->home ? NULL : &file->foreign[core->id];
}

void sl_file_retain(struct sl_file *file)
{
	struct sl_file_refs *r = refs_here(file);
	uint32_t *held = r ? &r->held : &file->refs;

	SL_ASSERT(*held > 0);
	++*held;
}

void sl_file_grant(struct sl_file *file, struct sl_core *to)
{
	SL_ON_CORE(file->home);
	SL_ASSERT(file->refs > 0);
	if (to == file->home)
		file->refs++;
	else
		file->granted++;
}

void sl_file_held(struct sl_file *file)
{
	struct sl_file_refs *r = refs_here(file);

	if (!r)
		return;
	r->held++;
	r->granted++;
}

static void note_back(struct sl_msg *msg)
{
	struct file_note *note = sl_container_of(msg, struct file_note, msg);

	sl_list_push(&note->from->file_notes, &note->node);
}

static void note_home(struct sl_msg *msg)
{
	struct file_note *note = sl_container_of(msg, struct file_note, msg);
	struct sl_file *file = note->file;

	SL_ASSERT(file->granted >= note->returned);
	file->granted -= note->returned;
	drop_if_unused(file);
	note->msg.fn = note_back;
	sl_post(note->from, &note->msg);
}

static void send_note(struct sl_file *file, struct sl_file_refs *r)
{
	struct sl_core *core = sl_core_self();
	struct sl_list *n = sl_list_pop(&core->file_notes);
	struct file_note *note = n ? sl_list_entry(n, struct file_note, node)
				   : malloc(sizeof(*note));

	/* Without a note the file could never be freed nor its space come back. */
	SL_ASSERT(note);
	*note = (struct file_note){.msg.fn = note_home, .from = core, .file = file,
				   .returned = r->granted};
	sl_list_init(&note->node);
	r->granted = 0;
	sl_post(file->home, &note->msg);
}

void sl_file_release(struct sl_file *file)
{
	struct sl_file_refs *r;

	if (!file)
		return;
	r = refs_here(file);
	if (!r) {
		SL_ASSERT(file->refs > 0);
		file->refs--;
		drop_if_unused(file);
		return;
	}
	SL_ASSERT(r->held > 0);
	if (--r->held == 0)
		send_note(file, r);
}

void file_notes_done(struct sl_core *core)
{
	struct sl_list *n;

	while ((n = sl_list_pop(&core->file_notes)))
		free(sl_list_entry(n, struct file_note, node));
}
