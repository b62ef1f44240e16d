// @qdrant/js-client-rest from npm, against a sluiced: prints TAP. Argument: the daemon's URL.
// The folder with node_modules is the working folder.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import path from 'node:path'

const require = createRequire(path.join(process.cwd(), 'index.js'))
const { QdrantClient } = require('@qdrant/js-client-rest')

const client = new QdrantClient({ url: process.argv[2] })
const name = 'js'
const vector = i => [i, 0, 1]

const tests = {
	async collection_is_made () {
		assert.equal((await client.collectionExists(name)).exists, false)
		assert.equal(await client.createCollection(name, {
			vectors: { size: 3, distance: 'Euclid' },
			optimizers_config: { default_segment_number: 2 }
		}), true)
		assert.deepEqual((await client.getCollections()).collections, [{ name }])
		const info = await client.getCollection(name)
		assert.deepEqual(info.config.params.vectors, { size: 3, distance: 'Euclid' })
		assert.equal(info.config.optimizer_config.default_segment_number, 2)
		await assert.rejects(client.createCollection(name, {}), /Conflict|already exists/)
	},

	async points_are_put_and_read () {
		const points = [...Array(50).keys()].map(id => (
			{ id, vector: vector(id), payload: { id, even: id % 2 === 0, word: 'w' + id % 3 } }))
		const done = await client.upsert(name, { wait: true, points })
		assert.equal(done.status, 'completed')
		assert.equal((await client.count(name)).count, 50)
		const [point] = await client.retrieve(name, { ids: [7], with_vector: true })
		assert.deepEqual(point,
			{ id: 7, payload: { even: false, id: 7, word: 'w1' }, vector: [7, 0, 1] })
		await client.upsert(name, { wait: true,
			batch: { ids: ['00000000-0000-0000-0000-000000000001'], vectors: [[9, 9, 9]] } })
		await client.delete(name, { wait: true, points: ['00000000-0000-0000-0000-000000000001'] })
		assert.equal((await client.count(name, { exact: true })).count, 50)
	},

	async searches_find_the_nearest () {
		const want = [20, 21, 19]
		const ids = hits => hits.map(hit => hit.id)
		assert.deepEqual(ids(await client.search(name, { vector: [20.1, 0, 1], limit: 3 })), want)
		assert.deepEqual(ids((await client.query(name, { query: [20.1, 0, 1], limit: 3 })).points),
			want)
		const filter = { must: [{ key: 'even', match: { value: true } }] }
		assert.deepEqual(ids(await client.search(name, { vector: [20.1, 0, 1], filter, limit: 3 })),
			[20, 22, 18])
		const batch = await client.searchBatch(name, { searches: [
			{ vector: [1, 0, 1], limit: 1 }, { vector: [2, 0, 1], limit: 1 }] })
		assert.deepEqual(batch.map(ids), [[1], [2]])
		assert.deepEqual(ids(await client.recommend(name, { positive: [10], limit: 2 })), [9, 11])
		const groups = await client.searchPointGroups(name,
			{ vector: [0, 0, 1], group_by: 'word', limit: 3, group_size: 1 })
		assert.deepEqual(groups.groups.map(g => [g.id, g.hits[0].id]),
			[['w0', 0], ['w1', 1], ['w2', 2]])
		const fused = await client.query(name, { query: { fusion: 'rrf' }, limit: 2, prefetch: [
			{ query: [5, 0, 1], limit: 3 }, { query: [5, 0, 1], limit: 3 }] })
		assert.equal(fused.points[0].id, 5)
	},

	async lists_and_payloads () {
		const { points, next_page_offset: next } = await client.scroll(name, { limit: 2 })
		assert.deepEqual([points.map(p => p.id), next], [[0, 1], 2])
		await client.setPayload(name, { wait: true, payload: { more: 1 }, points: [1] })
		await client.overwritePayload(name, { wait: true, payload: { only: 1 }, points: [2] })
		await client.deletePayload(name, { wait: true, keys: ['word'], points: [1] })
		await client.clearPayload(name, { wait: true, points: [3] })
		const read = await client.retrieve(name, { ids: [1, 2, 3] })
		assert.deepEqual(read.map(p => p.payload),
			[{ even: false, id: 1, more: 1 }, { only: 1 }, {}])
		await client.createPayloadIndex(name,
			{ wait: true, field_name: 'word', field_schema: 'keyword' })
		const { hits } = await client.facet(name, { key: 'word' })
		assert.deepEqual(hits[0], { value: 'w0', count: 16 })
	},

	async mistakes_are_told () {
		await assert.rejects(client.upsert(name, { points: [{ id: 1, vector: [1] }] }),
			e => e.status === 400 && /expected dim: 3, got 1/.test(JSON.stringify(e.data)))
		await assert.rejects(client.getCollection('none'), e => e.status === 404)
	},

	async collection_is_gone () {
		await client.updateCollectionAliases({ actions: [
			{ create_alias: { alias_name: 'other', collection_name: name } }] })
		assert.equal((await client.count('other')).count, 50)
		const snapshot = await client.createSnapshot(name)
		assert.equal((await client.listSnapshots(name))[0].name, snapshot.name)
		await client.deleteSnapshot(name, snapshot.name)
		assert.equal(await client.deleteCollection(name), true)
		assert.deepEqual((await client.getAliases()).aliases, [])
	}
}

let n = 0
let failed = false
for (const [title, test] of Object.entries(tests)) {
	n++
	try {
		await test()
		console.log(`ok ${n} ${title}`)
	} catch (e) {
		failed = true
		console.log(String(e.stack).replace(/^/gm, '# ').slice(0, 2000))
		console.log(`not ok ${n} ${title}`)
	}
}
console.log(`1..${n}`)
process.exit(failed ? 1 : 0)
