// SPDX-License-Identifier: Apache-2.0
/*
 * Clients: the Java client of Apache Kafka against a sluiced; run by java_test.sh.
 *
 * Arguments: the broker's address. Prints TAP; each test has its own topics and groups.
 */
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Clients {
	interface Test {
		void run() throws Exception;
	}

	static String broker;
	static int count;
	static int failed;

	// ---- helpers -----------------------------------------------------------------------------

	static void test(String title, Test test) {
		count++;
		try {
			test.run();
			System.out.println("ok " + count + " " + title);
		} catch (Throwable e) {
			failed++;
			System.out.println("# " + e);
			for (StackTraceElement at : e.getStackTrace())
				System.out.println("#   " + at);
			for (Throwable c = e.getCause(); c != null; c = c.getCause())
				System.out.println("# because of " + c);
			System.out.println("not ok " + count + " " + title);
		}
	}

	static void equal(Object expected, Object seen) {
		if (!expected.equals(seen))
			throw new AssertionError("expected " + expected + ", seen " + seen);
	}

	static void until(BooleanSupplier what) throws InterruptedException {
		long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
		while (!what.getAsBoolean()) {
			if (System.nanoTime() > end)
				throw new AssertionError("in vain");
			Thread.sleep(50);
		}
	}

	static Properties conf(Object... pairs) {
		Properties p = new Properties();
		p.put("bootstrap.servers", broker);
		p.put("key.serializer", StringSerializer.class.getName());
		p.put("value.serializer", StringSerializer.class.getName());
		p.put("key.deserializer", StringDeserializer.class.getName());
		p.put("value.deserializer", StringDeserializer.class.getName());
		for (int i = 0; i < pairs.length; i += 2)
			p.put(pairs[i], pairs[i + 1].toString());
		return p;
	}

	static KafkaConsumer<String, String> consumer(String group, Object... pairs) {
		Properties p = conf("group.id", group, "auto.offset.reset", "earliest",
				"enable.auto.commit", "false", "session.timeout.ms", 6000,
				"heartbeat.interval.ms", 500);
		p.putAll(conf(pairs));
		return new KafkaConsumer<>(p);
	}

	static void create(String topic, int partitions) throws Exception {
		try (Admin a = Admin.create(conf())) {
			a.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
		}
	}

	static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> c, int n) {
		List<ConsumerRecord<String, String>> got = new ArrayList<>();
		long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
		while (got.size() < n && System.nanoTime() < end)
			c.poll(Duration.ofMillis(200)).forEach(got::add);
		equal(n, got.size());
		return got;
	}

	static void send(String topic, int from, int to, int partitions) throws Exception {
		try (KafkaProducer<String, String> p = new KafkaProducer<>(conf())) {
			List<Future<RecordMetadata>> sent = new ArrayList<>();
			for (int i = from; i < to; i++)
				sent.add(p.send(new ProducerRecord<>(topic, i % partitions, "k" + i, "v" + i)));
			for (Future<RecordMetadata> f : sent)
				f.get();
		}
	}

	// ---- producing and consuming -------------------------------------------------------------

	static void codec(String codec) throws Exception {
		String topic = "codec-" + codec;
		create(topic, 1);
		List<Future<RecordMetadata>> sent = new ArrayList<>();
		try (KafkaProducer<String, String> p =
				new KafkaProducer<>(conf("compression.type", codec, "linger.ms", 5))) {
			for (int i = 0; i < 2000; i++) {
				ProducerRecord<String, String> r = new ProducerRecord<>(topic, 0, 1000L + i,
						"k" + i, i % 10 == 9 ? null : "value of " + i);
				r.headers().add("n", ("" + i).getBytes()).add("null", null);
				sent.add(p.send(r));
			}
			for (int i = 0; i < 2000; i++)
				equal((long) i, sent.get(i).get().offset());
		}
		try (KafkaConsumer<String, String> c = consumer(topic)) {
			c.assign(List.of(new TopicPartition(topic, 0)));
			int i = 0;
			for (ConsumerRecord<String, String> r : take(c, 2000)) {
				Header[] headers = r.headers().toArray();
				equal((long) i, r.offset());
				equal(1000L + i, r.timestamp());
				equal("k" + i, r.key());
				equal(i % 10 == 9 ? "null" : "value of " + i, "" + r.value());
				equal(2, headers.length);
				equal("" + i, new String(headers[0].value()));
				equal(true, headers[1].value() == null);
				i++;
			}
		}
	}

	static void acks(String acks) throws Exception {
		String topic = "acks" + acks;
		create(topic, 1);
		try (KafkaProducer<String, String> p =
				new KafkaProducer<>(conf("acks", acks, "enable.idempotence", "false"))) {
			for (int i = 0; i < 10; i++)
				p.send(new ProducerRecord<>(topic, "v" + i));
		}
		try (KafkaConsumer<String, String> c = consumer(topic)) {
			c.assign(List.of(new TopicPartition(topic, 0)));
			equal("v9", take(c, 10).get(9).value());
		}
	}

	static void resume() throws Exception {
		create("resume", 1);
		send("resume", 0, 100, 1);
		TopicPartition part = new TopicPartition("resume", 0);
		for (int first = 0; first < 100; first += 50) {
			try (KafkaConsumer<String, String> c = consumer("resume", "max.poll.records", 50)) {
				c.subscribe(List.of("resume"));
				equal((long) first, take(c, 50).get(0).offset());
				c.commitSync(Map.of(part, new OffsetAndMetadata(first + 50, "at " + first)));
			}
		}
		try (KafkaConsumer<String, String> c = consumer("resume")) {
			equal("at 50", c.committed(Set.of(part)).get(part).metadata());
		}
	}

	// ---- groups ------------------------------------------------------------------------------

	static class Member extends Thread {
		final KafkaConsumer<String, String> c;
		volatile Set<Integer> assigned = Set.of();
		final List<String> seen = new ArrayList<>();
		volatile boolean ending;
		volatile Throwable error;

		Member(String group, Object... pairs) {
			c = consumer(group, pairs);
			c.subscribe(List.of(group));
			setDaemon(true);
			start();
		}

		@Override
		public void run() {
			try (c) {
				while (!ending) {
					for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(100)))
						synchronized (seen) {
							seen.add(r.partition() + ":" + r.offset());
						}
					commit();
					Set<Integer> now = new TreeSet<>();
					c.assignment().forEach(p -> now.add(p.partition()));
					assigned = now;
				}
			} catch (Throwable e) {
				error = e;
			}
		}

		// A cooperative member goes on polling while its group rebalances, and commits later.
		void commit() {
			try {
				c.commitSync();
			} catch (RebalanceInProgressException e) {
				return;
			}
		}

		int count() {
			synchronized (seen) {
				return seen.size();
			}
		}

		void end() throws Exception {
			ending = true;
			join(20000);
			if (error != null)
				throw new Exception("member", error);
			equal(false, isAlive());
		}
	}

	static void rebalance(String group, Object... pairs) throws Exception {
		create(group, 4);
		Set<Integer> all = Set.of(0, 1, 2, 3);
		Member a = new Member(group, pairs);
		until(() -> a.assigned.equals(all));
		Member b = new Member(group, pairs);
		until(() -> a.assigned.size() == 2 && b.assigned.size() == 2);
		Set<Integer> both = new TreeSet<>(a.assigned);
		both.addAll(b.assigned);
		equal(all, both);
		send(group, 0, 40, 4);
		until(() -> a.count() + b.count() == 40);
		equal(20, b.count());
		b.end();
		until(() -> a.assigned.equals(all));
		send(group, 40, 60, 4);
		until(() -> a.count() + b.count() == 60);
		a.end();
		Set<String> each = new TreeSet<>(a.seen);
		each.addAll(b.seen);
		equal(60, each.size());
	}

	// ---- administration ----------------------------------------------------------------------

	static void refused(Class<?> type, Future<?> f) throws Exception {
		try {
			f.get();
		} catch (ExecutionException e) {
			equal(type, e.getCause().getClass());
			return;
		}
		throw new AssertionError("not refused");
	}

	static void topics() throws Exception {
		try (Admin a = Admin.create(conf())) {
			NewTopic topic = new NewTopic("made", 3, (short) 1)
					.configs(Map.of("retention.ms", "3600000"));
			equal("3600000", a.createTopics(List.of(topic)).config("made").get()
					.get("retention.ms").value());
			refused(TopicExistsException.class, a.createTopics(List.of(topic)).all());
			equal(3, a.describeTopics(List.of("made")).allTopicNames().get().get("made")
					.partitions().size());
			a.createPartitions(Map.of("made", NewPartitions.increaseTo(5))).all().get();
			equal(5, a.describeTopics(List.of("made")).allTopicNames().get().get("made")
					.partitions().size());
			a.deleteTopics(List.of("made")).all().get();
			refused(UnknownTopicOrPartitionException.class,
					a.describeTopics(List.of("made")).allTopicNames());
			equal(false, a.listTopics().names().get().contains("made"));
		}
	}

	static void settings() throws Exception {
		create("settings", 1);
		ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, "settings");
		try (Admin a = Admin.create(conf())) {
			Collection<AlterConfigOp> ops = List.of(new AlterConfigOp(
					new ConfigEntry("segment.bytes", "1000000"), AlterConfigOp.OpType.SET));
			a.incrementalAlterConfigs(Map.of(r, ops)).all().get();
			ConfigEntry e = a.describeConfigs(List.of(r)).all().get().get(r).get("segment.bytes");
			equal("1000000", e.value());
			equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, e.source());
		}
	}

	static void offsets() throws Exception {
		create("times", 1);
		try (KafkaProducer<String, String> p = new KafkaProducer<>(conf())) {
			for (int i = 0; i < 100; i++)
				p.send(new ProducerRecord<>("times", 0, 5000L + i * 10, "k", "v"));
		}
		TopicPartition part = new TopicPartition("times", 0);
		try (Admin a = Admin.create(conf())) {
			Map<OffsetSpec, Long> wanted = new HashMap<>();
			wanted.put(OffsetSpec.earliest(), 0L);
			wanted.put(OffsetSpec.latest(), 100L);
			wanted.put(OffsetSpec.maxTimestamp(), 99L);
			wanted.put(OffsetSpec.forTimestamp(5421), 43L);
			for (Map.Entry<OffsetSpec, Long> w : wanted.entrySet())
				equal(w.getValue(), a.listOffsets(Map.of(part, w.getKey()))
						.partitionResult(part).get().offset());
		}
	}

	static void cluster() throws Exception {
		try (Admin a = Admin.create(conf())) {
			equal(1, a.describeCluster().nodes().get().size());
			equal(true, a.listGroups().all().get().stream()
					.anyMatch(g -> g.groupId().equals("resume")));
			equal("resume", a.describeConsumerGroups(List.of("resume")).all().get()
					.get("resume").groupId());
			equal(100L, a.listConsumerGroupOffsets("resume").partitionsToOffsetAndMetadata()
					.get().get(new TopicPartition("resume", 0)).offset());
			a.deleteConsumerGroups(List.of("resume")).all().get();
		}
	}

	public static void main(String[] args) {
		broker = args[0];
		for (String codec : Arrays.asList("none", "gzip", "snappy", "lz4", "zstd"))
			test("keys, headers, nulls and codec " + codec + " pass", () -> codec(codec));
		for (String acks : Arrays.asList("0", "1", "all"))
			test("acks=" + acks, () -> acks(acks));
		test("a group resumes where it committed", () -> resume());
		test("two members share a group and rebalance", () -> rebalance("share",
				"partition.assignment.strategy",
				"org.apache.kafka.clients.consumer.RangeAssignor"));
		test("cooperative members rebalance", () -> rebalance("cooperative",
				"partition.assignment.strategy",
				"org.apache.kafka.clients.consumer.CooperativeStickyAssignor"));
		test("topics are created, described and deleted", () -> topics());
		test("settings are altered and described", () -> settings());
		test("offsets are found by time", () -> offsets());
		test("cluster and groups are described", () -> cluster());
		System.out.println("1.." + count);
		System.out.flush();
		System.exit(failed == 0 ? 0 : 1);
	}
}
