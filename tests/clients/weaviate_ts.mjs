// What weaviate_ts_test.py lets weaviate-ts-client ask: node weaviate_ts.mjs CLIENT ADDRESS WHICH
import assert from 'node:assert/strict';

const [file, host, which] = process.argv.slice(2);
const weaviate = (await import(file)).default;
const c = weaviate.client({scheme: 'http', host});

const uuid = (n) => '00000000-0000-0000-0000-' + String(n).padStart(12, '0');
const MANY = 300;

const tests = {
	async know_the_server() {
		assert.equal(await c.misc.liveChecker().do(), true);
		assert.equal(await c.misc.readyChecker().do(), true);
		assert.match((await c.misc.metaGetter().do()).version, /^1\./);
		assert.equal(await c.misc.openidConfigurationGetter().do(), undefined);
		assert.equal((await c.cluster.nodesStatusGetter().do()).nodes[0].status, 'HEALTHY');
	},

	async make_classes() {
		await c.schema.classCreator().withClass({
			class: 'Thing', vectorizer: 'none', vectorIndexConfig: {distance: 'l2-squared'},
			properties: [{name: 'name', dataType: ['text']}, {name: 'n', dataType: ['int']},
				     {name: 'to', dataType: ['Thing']}],
		}).do();
		assert.equal(await c.schema.exists('Thing'), true);
		assert.equal(await c.schema.exists('Other'), false);
		await c.schema.propertyCreator().withClassName('Thing')
			.withProperty({name: 'even', dataType: ['boolean']}).do();
		const thing = await c.schema.classGetter().withClassName('Thing').do();
		assert.deepEqual(thing.properties.map((p) => p.name), ['name', 'n', 'to', 'even']);
		assert.equal((await c.schema.shardsGetter().withClassName('Thing').do())[0].status,
			     'READY');
		await assert.rejects(c.schema.classCreator().withClass({class: 'Thing'}).do(),
				     /422.*already exists/s);
	},

	async keep_tenants_apart() {
		const name = 'Apart', tenants = [{name: 'ann'}, {name: 'bob'}];
		const put = (tenant, n) => c.data.creator().withClassName(name).withId(uuid(1))
			.withTenant(tenant).withProperties({n}).withVector([n, 0]).do();
		const at = (getter, tenant) => getter.withClassName(name).withId(uuid(1))
			.withTenant(tenant);
		await c.schema.classCreator().withClass({
			class: name, vectorizer: 'none', multiTenancyConfig: {enabled: true},
			properties: [{name: 'n', dataType: ['int']}],
		}).do();
		await c.schema.tenantsCreator(name, tenants).do();
		assert.deepEqual((await c.schema.tenantsGetter(name).do()).map((t) => t.name).sort(),
				 ['ann', 'bob']);
		assert.equal(await c.schema.tenantsExists(name, 'ann').do(), true);
		assert.equal(await c.schema.tenantsExists(name, 'carl').do(), false);
		await put('ann', 1);
		assert.equal((await put('bob', 2)).tenant, 'bob');
		assert.equal((await at(c.data.getterById(), 'bob').do()).properties.n, 2);
		await at(c.data.merger(), 'ann').withProperties({n: 3}).do();
		const batch = await c.batch.objectsBatcher().withObjects(
			{class: name, tenant: 'ann', id: uuid(2), properties: {n: 4}, vector: [4, 0]},
			{class: name, tenant: 'carl', properties: {n: 5}}).do();
		assert.deepEqual(batch.map((o) => o.result.status), ['SUCCESS', 'FAILED']);
		const got = await c.graphql.get().withClassName(name).withTenant('ann').withFields('n')
			.withNearVector({vector: [4, 0]}).do();
		assert.deepEqual(got.data.Get[name].map((o) => o.n).sort(), [3, 4]);
		const all = await c.graphql.aggregate().withClassName(name).withTenant('bob')
			.withFields('meta { count }').do();
		assert.equal(all.data.Aggregate[name][0].meta.count, 1);
		await assert.rejects(put('carl', 1), /422.*tenant not found/s);
		await c.schema.tenantsUpdater(name, [{name: 'bob', activityStatus: 'COLD'}]).do();
		await assert.rejects(at(c.data.getterById(), 'bob').do(), /422.*not active/s);
		await at(c.data.deleter(), 'ann').do();
		assert.equal(await at(c.data.checker(), 'ann').do(), false);
		await c.schema.tenantsDeleter(name, ['ann', 'bob']).do();
		assert.deepEqual(await c.schema.tenantsGetter(name).do(), []);
		await c.schema.classDeleter().withClassName(name).do();
	},

	async change_objects() {
		const at = (getter) => getter.withClassName('Thing').withId(uuid(1));
		await at(c.data.creator()).withProperties({name: 'one', n: 1}).withVector([1, 0]).do();
		await assert.rejects(at(c.data.creator()).withProperties({}).do(), /422.*already/s);
		assert.equal(await at(c.data.checker()).do(), true);
		await at(c.data.merger()).withProperties({n: 2}).do();
		const o = await at(c.data.getterById()).withVector().do();
		assert.deepEqual([o.properties, o.vector], [{name: 'one', n: 2}, [1, 0]]);
		await at(c.data.updater()).withProperties({name: 'two'}).do();
		assert.deepEqual((await at(c.data.getterById()).do()).properties, {name: 'two'});
		assert.equal(await at(c.data.validator()).withProperties({n: 1}).do(), true);
		await assert.rejects(at(c.data.validator()).withProperties({n: 'x'}).do(), /422/);
		await at(c.data.deleter()).do();
		assert.equal(await at(c.data.checker()).do(), false);
	},

	async follow_references() {
		const make = (n) => c.data.creator().withClassName('Thing').withId(uuid(n))
			.withProperties({n}).do();
		const beacon = (n) => c.data.referencePayloadBuilder().withClassName('Thing')
			.withId(uuid(n)).payload();
		const from = (call) => call.withClassName('Thing').withId(uuid(1))
			.withReferenceProperty('to');
		const led = async () => (await c.graphql.get().withClassName('Thing')
			.withFields('to { ... on Thing { n } }').withLimit(1).do()).data.Get.Thing[0].to;
		await make(1);
		await make(2);
		await from(c.data.referenceCreator()).withReference(beacon(2)).do();
		assert.deepEqual(await led(), [{n: 2}]);
		await from(c.data.referenceReplacer()).withReferences([beacon(1)]).do();
		assert.deepEqual(await led(), [{n: 1}]);
		await from(c.data.referenceDeleter()).withReference(beacon(1)).do();
		assert.equal(await led(), null);
		for (const n of [1, 2])
			await c.data.deleter().withClassName('Thing').withId(uuid(n)).do();
	},

	async search_a_batch() {
		let batch = c.batch.objectsBatcher();
		for (let i = 0; i < MANY; i++)
			batch = batch.withObject({class: 'Thing', id: uuid(1000 + i), vector: [i, 0],
						  properties: {name: `thing ${i}`, n: i, even: i % 2 == 0}});
		const results = await batch.do();
		assert.ok(results.every((r) => r.result.status == 'SUCCESS'), results[0]);
		const refs = await c.batch.referencesBatcher().withReference({
			from: `weaviate://localhost/Thing/${uuid(1000)}/to`,
			to: `weaviate://localhost/Thing/${uuid(1001)}`}).do();
		assert.equal(refs[0].result.status, 'SUCCESS');
		const q = await c.graphql.get().withClassName('Thing')
			.withFields('n _additional { id distance }')
			.withNearVector({vector: [100.1, 0]}).withLimit(2).do();
		assert.deepEqual(q.data.Get.Thing.map((t) => t.n), [100, 101]);
		assert.equal(q.data.Get.Thing[0]._additional.id, uuid(1100));
		const near = await c.graphql.get().withClassName('Thing').withFields('n')
			.withNearObject({id: uuid(1007), distance: 0.5}).do();
		assert.deepEqual(near.data.Get.Thing, [{n: 7}]);
		const wrong = await c.graphql.get().withClassName('Thing').withFields('n')
			.withNearVector({vector: [1, 2, 3]}).do().catch((e) => ({errors: [e]}));
		assert.ok(wrong.errors);
	},

	async filter_and_sort() {
		const where = {operator: 'And', operands: [
			{operator: 'Equal', path: ['even'], valueBoolean: true},
			{operator: 'LessThan', path: ['n'], valueInt: 6}]};
		const q = await c.graphql.get().withClassName('Thing').withFields('n').withWhere(where)
			.withSort([{path: ['n'], order: 'desc'}]).do();
		assert.deepEqual(q.data.Get.Thing, [{n: 4}, {n: 2}, {n: 0}]);
		const page = await c.data.getter().withClassName('Thing').withLimit(3)
			.withAfter(uuid(1004)).do();
		assert.deepEqual(page.objects.map((o) => o.properties.n), [5, 6, 7]);
		const text = await c.graphql.get().withClassName('Thing').withFields('n')
			.withWhere({operator: 'ContainsAny', path: ['name'],
				    valueTextArray: ['17', '18']}).do();
		assert.deepEqual(text.data.Get.Thing, [{n: 17}, {n: 18}]);
	},

	async aggregate() {
		const q = await c.graphql.aggregate().withClassName('Thing')
			.withFields('meta { count } n { mean }').do();
		assert.deepEqual(q.data.Aggregate.Thing,
				 [{meta: {count: MANY}, n: {mean: (MANY - 1) / 2}}]);
		const raw = await c.graphql.raw()
			.withQuery('query A { Aggregate { Thing(groupBy: ["even"]) { meta { count } } } }')
			.do();
		assert.deepEqual(raw.data.Aggregate.Thing.map((g) => g.meta.count),
				 [MANY / 2, MANY / 2]);
	},

	async delete_a_batch() {
		const gone = await c.batch.objectsBatchDeleter().withClassName('Thing')
			.withWhere({operator: 'GreaterThan', path: ['n'], valueInt: 199})
			.withOutput('verbose').do();
		assert.equal(gone.results.successful, MANY - 200);
		assert.equal(gone.results.objects.length, MANY - 200);
	},

	async find_again() {
		const q = await c.graphql.get().withClassName('Thing').withFields('n')
			.withNearVector({vector: [1000, 0]}).withLimit(1).do();
		assert.deepEqual(q.data.Get.Thing, [{n: 199}]);
		await c.schema.classDeleter().withClassName('Thing').do();
		assert.deepEqual((await c.schema.getter().do()).classes, []);
	},
};

await tests[which]();
