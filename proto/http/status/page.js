// The status page: fetches /metrics each second, compares two pages of it, and shows the outcome.
//
// Everything shown is in /metrics; labels are taken as they come, and what a daemon does not count
// is left out or shown as a dash. A number's exact value is its element's data-value.
//
// Order of parts: the text format; comparing; numbers; elements; charts; the parts of the page;
// the loop.
"use strict";

(() => {

const INTERVAL_MS = 1000;
const TIMEOUT_MS = 5000;
const HISTORY = 120; // looks that a chart shows

// ---- the text format -----------------------------------------------------------------------

function unescape(text) {
	return text.replace(/\\(.)/g, (_, c) => c === "n" ? "\n" : c);
}

function number(text) {
	return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}

// Samples by metric: {id, labels, value}; the id is the same on every page of a daemon.
function parse(text) {
	const page = new Map();

	for (const line of text.split("\n")) {
		const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);

		if (!found)
			continue;
		const [, name, inner, value] = found;
		const labels = {};

		for (const [, key, quoted] of (inner || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
			labels[key] = unescape(quoted);
		if (!page.has(name))
			page.set(name, []);
		page.get(name).push({id: inner || "", labels, value: number(value)});
	}
	return page;
}

// ---- comparing -----------------------------------------------------------------------------

function matches(labels, wanted) {
	return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

// Two pages, `seconds` apart; null stands for what is not known.
class Comparison {
	constructor(before, now, seconds) {
		this.before = before;
		this.now = now;
		this.seconds = seconds;
		this.ids = new Map(); // of the page before, by metric
	}

	has(name) {
		return this.now.has(name);
	}

	samples(name, wanted = {}) {
		return (this.now.get(name) || []).filter((s) => matches(s.labels, wanted));
	}

	// The values of a label, in the daemon's order.
	values(name, label) {
		return [...new Set(this.samples(name).map((s) => s.labels[label]))];
	}

	// A counter that fell was reset by a restart; a sample that is new grew from nothing.
	growth(name, sample) {
		if (!this.ids.has(name)) {
			const old = this.before.get(name) || [];
			this.ids.set(name, new Map(old.map((s) => [s.id, s.value])));
		}
		const old = this.ids.get(name).get(sample.id);

		return old !== undefined && old <= sample.value ? sample.value - old : sample.value;
	}

	level(name, wanted) {
		const found = this.samples(name, wanted);

		return found.length ? found.reduce((sum, s) => sum + s.value, 0) : null;
	}

	grown(name, wanted) {
		const found = this.samples(name, wanted);

		return this.before && found.length
			? found.reduce((sum, s) => sum + this.growth(name, s), 0) : null;
	}

	rate(name, wanted) {
		const grown = this.grown(name, wanted);

		return grown === null ? null : grown / this.seconds;
	}

	// Values are taken to lie evenly within a bucket of the histogram.
	quantile(name, q, wanted) {
		const buckets = new Map();

		if (!this.before)
			return null;
		for (const s of this.samples(name + "_bucket", wanted)) {
			const bound = number(s.labels.le);
			const sum = buckets.get(bound) || 0;

			buckets.set(bound, sum + this.growth(name + "_bucket", s));
		}
		const sorted = [...buckets].sort((a, b) => a[0] - b[0]);
		const all = sorted.length ? sorted[sorted.length - 1][1] : 0;
		const rank = q * all;
		let lower = 0, below = 0;

		if (!(all > 0))
			return null;
		for (const [bound, count] of sorted) {
			if (bound === Infinity)
				break;
			if (count >= rank && count > below)
				return lower + (bound - lower) * (rank - below) / (count - below);
			lower = bound;
			below = count;
		}
		return lower;
	}
}

// ---- numbers -------------------------------------------------------------------------------

function scaled(value, step, units) {
	let i = 0;

	while (i + 1 < units.length && value >= step * 0.9995) {
		value /= step;
		i++;
	}
	const digits = value === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;

	return [value.toFixed(digits), units[i]];
}

const formats = {
	count: (v) => v < 10000 ? [v.toFixed(0), ""]
		: [scaled(v, 1000, ["", "k", "M", "G", "T"]).join(""), ""],
	perSecond: (v) => [v < 9.95 ? v.toFixed(v ? 1 : 0) : formats.count(v)[0], "/s"],
	bytes: (v) => v < 999.5 ? [v.toFixed(0), "B"]
		: scaled(v, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]),
	bytesPerSecond: (v) => formats.bytes(v).map((part, i) => i ? part + "/s" : part),
	seconds: (v) => scaled(v * 1e6, 1000, ["µs", "ms", "s"]),
	share: (v) => v > 0 && v < 0.0005 ? ["<0.1", "%"]
		: [(v * 100).toFixed(v && v < 0.0995 || v > 0.9905 && v < 0.9995 ? 1 : 0), "%"],
};

function say(value, format) {
	if (value === null || !Number.isFinite(value))
		return "–";
	const [digits, unit] = formats[format](value);

	return unit && unit !== "%" ? `${digits}\u00a0${unit}` : digits + unit;
}

// ---- elements ------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";

function byId(id) {
	return document.getElementById(id);
}

function make(tag, text, className) {
	const element = document.createElement(tag);

	if (text !== undefined)
		element.textContent = text;
	if (className)
		element.className = className;
	return element;
}

function setText(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

// Shows a number; `alarming`: it ought to be zero.
function put(element, value, format, alarming) {
	setText(element, say(value, format));
	if (value === null)
		delete element.dataset.value;
	else
		element.dataset.value = value;
	element.classList.toggle("zero", !value);
	element.classList.toggle("warn", Boolean(alarming && value > 0));
}

// Shows a number in large, its unit apart.
function putFigure(id, value, format) {
	const element = byId(id);

	if (value === null) {
		element.textContent = "–";
		delete element.dataset.value;
		return;
	}
	const [digits, unit] = formats[format](value);

	element.dataset.value = value;
	element.textContent = "";
	element.append(digits, make("span", unit, "unit"));
}

// The children of `parent` that have these keys, made where they are new, in this order.
function keyed(parent, keys, create) {
	const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
	const children = keys.map((key, i) => {
		const child = old.get(key) || create(key);

		child.dataset.key = key;
		old.delete(key);
		if (parent.children[i] !== child)
			parent.insertBefore(child, parent.children[i] || null);
		return child;
	});

	for (const gone of old.values())
		gone.remove();
	return children;
}

// A table: columns are {title, of(key), format, alarms(key)}.
function fillTable(id, first, columns, keys) {
	const table = byId(id);

	if (!table.tHead) {
		const row = table.createTHead().insertRow();

		for (const title of [first, ...columns.map((c) => c.title)]) {
			const th = make("th", title);

			th.scope = "col";
			row.append(th);
		}
		table.createTBody();
	}
	const rows = keyed(table.tBodies[0], keys, (key) => {
		const row = make("tr"), th = make("th", key);

		th.scope = "row";
		row.append(th, ...columns.map(() => make("td")));
		return row;
	});

	rows.forEach((row, i) => columns.forEach((column, k) =>
		put(row.cells[k + 1], column.of(keys[i]), column.format,
			column.alarms && column.alarms(keys[i]))));
}

// A list of terms: rows are {term, value, format, alarming}; those that are not counted are left
// out.
function fillTerms(id, rows) {
	const known = rows.filter((row) => row.value !== null);
	const keys = known.flatMap((row) => [row.term, "value of " + row.term]);
	const children = keyed(byId(id), keys, (key) =>
		key.startsWith("value of ") ? make("dd") : make("dt", key));

	known.forEach((row, i) => put(children[2 * i + 1], row.value, row.format, row.alarming));
}

// ---- charts --------------------------------------------------------------------------------

function makeSvg(tag, attributes) {
	const element = document.createElementNS(SVG, tag);

	for (const [name, value] of Object.entries(attributes))
		element.setAttribute(name, value);
	return element;
}

// The newest value is at the right edge; where nothing is known the line is broken. `top` is that
// of the scale; without it the largest value is, and is told.
class Chart {
	constructor(id, format, top) {
		this.svg = byId(id + "-chart");
		this.peak = byId(id + "-peak");
		this.format = format;
		this.top = top;
		this.values = [];
		this.svg.setAttribute("viewBox", `0 0 ${HISTORY - 1} 40`);
		this.svg.setAttribute("preserveAspectRatio", "none");
		this.area = makeSvg("path", {class: "area"});
		this.line = makeSvg("path", {class: "line"});
		this.svg.append(makeSvg("path", {class: "base", d: `M0 40H${HISTORY - 1}`}),
			this.area, this.line);
	}

	push(value) {
		this.values.push(value);
		this.values = this.values.slice(-HISTORY);
		this.draw();
	}

	draw() {
		const peak = Math.max(0, ...this.values.filter((v) => v !== null));
		const top = this.top || 1.08 * peak || 1;
		const left = HISTORY - this.values.length;
		let line = "", area = "", begun = false;

		if (!this.top && this.values.length > 2)
			setText(this.peak, `peak ${say(peak, this.format)}`);
		this.values.forEach((value, i) => {
			const x = left + i;

			if (value === null) {
				begun = false;
				return;
			}
			const y = (39.2 - 38.4 * Math.min(1, value / top)).toFixed(2);

			line += begun ? `L${x} ${y}` : `M${x} ${y}`;
			area += begun ? `L${x} ${y}` : `M${x} 40L${x} ${y}`;
			begun = true;
			if (i + 1 === this.values.length || this.values[i + 1] === null)
				area += `L${x} 40Z`;
		});
		this.line.setAttribute("d", line);
		this.area.setAttribute("d", area);
	}
}

// Parts of a whole, side by side: {share, className}.
function fillBar(svg, parts) {
	const rects = keyed(svg, parts.map((part) => part.className), (key) =>
		makeSvg("rect", {class: key, y: 0, height: "100%"}));
	let x = 0;

	parts.forEach((part, i) => {
		rects[i].setAttribute("x", 100 * x + "%");
		rects[i].setAttribute("width", 100 * part.share + "%");
		x += part.share;
	});
}

// ---- the parts of the page -----------------------------------------------------------------

let c; // the comparison that is shown, of the last look

const charts = {
	requests: new Chart("requests", "perSecond"),
	sent: new Chart("sent", "bytesPerSecond"),
	zeroCopy: new Chart("zero-copy", "share", 1),
	p99: new Chart("p99", "seconds"),
};

function showTiles() {
	const requests = c.rate("sluice_requests_total");
	const sent = c.rate("sluice_deliver_bytes_total");
	const copied = c.rate("sluice_deliver_bytes_total", {rung: "copy"}) || 0;
	const zeroCopy = sent > 0 ? (sent - copied) / sent : null;
	const p99 = c.quantile("sluice_request_seconds", 0.99);

	putFigure("requests", requests, "perSecond");
	charts.requests.push(requests);
	setText(byId("requests-aside"),
		`${say(c.level("sluice_connections"), "count")} connections open`);

	putFigure("sent", sent, "bytesPerSecond");
	charts.sent.push(sent);
	setText(byId("sent-aside"),
		`${say(c.rate("sluice_receive_bytes_total"), "bytesPerSecond")} received`);

	putFigure("zero-copy", zeroCopy, "share");
	charts.zeroCopy.push(zeroCopy);
	setText(byId("zero-copy-aside"), c.before ? `${say(copied, "bytesPerSecond")} copied` : "");

	putFigure("p99", p99, "seconds");
	charts.p99.push(p99);
	setText(byId("p99-aside"),
		`half within ${say(c.quantile("sluice_request_seconds", 0.5), "seconds")}`);
}

function makeWay(listener) {
	const way = make("div", undefined, "way");
	const bar = makeSvg("svg", {class: "bar", "aria-hidden": "true"});

	way.append(make("strong", listener), bar, make("ul", undefined, "legend"));
	return way;
}

function makeRung(rung) {
	const item = make("li", undefined, `rung-${rung}`);

	item.append(rung + " ", make("span", undefined, "total"), " ",
		make("span", undefined, "share"));
	return item;
}

function showDelivery() {
	const name = "sluice_deliver_bytes_total";
	const listeners = c.values(name, "listener");
	const ways = keyed(byId("delivery"), listeners, makeWay);

	ways.forEach((way, i) => {
		const listener = listeners[i], all = c.level(name, {listener});
		const rungs = c.values(name, "rung").filter((rung) =>
			c.level(name, {listener, rung}));
		const legend = way.querySelector(".legend");
		const items = keyed(legend, rungs.length ? rungs : ["none"], (rung) =>
			rung === "none" ? make("li", "nothing sent yet") : makeRung(rung));

		fillBar(way.querySelector(".bar"), rungs.map((rung) => ({
			className: `rung-${rung}`,
			share: c.level(name, {listener, rung}) / all,
		})));
		rungs.forEach((rung, k) => {
			const bytes = c.level(name, {listener, rung});

			put(items[k].querySelector(".total"), bytes, "bytes");
			setText(items[k].querySelector(".share"), `${say(bytes / all, "share")}, `
				+ `now ${say(c.rate(name, {listener, rung}), "bytesPerSecond")}`);
		});
	});
}

function quantileColumns(name, label) {
	return [["p50", 0.5], ["p99", 0.99], ["p99.9", 0.999]].map(([title, q]) => ({
		title, format: "seconds", of: (key) => c.quantile(name, q, {[label]: key}),
	}));
}

function column(title, how, name, label, format) {
	return {title, format, of: (key) => c[how](name, {[label]: key})};
}

const listenerColumns = [
	column("Connections", "level", "sluice_connections", "listener", "count"),
	column("Requests", "rate", "sluice_requests_total", "listener", "perSecond"),
	column("Total", "level", "sluice_requests_total", "listener", "count"),
	column("Received", "rate", "sluice_receive_bytes_total", "listener", "bytesPerSecond"),
	column("Sent", "rate", "sluice_deliver_bytes_total", "listener", "bytesPerSecond"),
	...quantileColumns("sluice_request_seconds", "listener"),
];

const kafkaColumns = [
	column("Requests", "rate", "sluice_kafka_requests_total", "api", "perSecond"),
	column("Total", "level", "sluice_kafka_requests_total", "api", "count"),
	{...column("Errors", "level", "sluice_kafka_errors_total", "api", "count"),
		alarms: (api) => c.rate("sluice_kafka_errors_total", {api}) > 0},
	...quantileColumns("sluice_kafka_request_seconds", "api"),
];

const httpColumns = [
	column("Requests", "rate", "sluice_http_requests_total", "api", "perSecond"),
	column("Total", "level", "sluice_http_requests_total", "api", "count"),
	{...column("Errors", "level", "sluice_http_errors_total", "api", "count"),
		alarms: (api) => c.rate("sluice_http_errors_total", {api}) > 0},
	...quantileColumns("sluice_http_request_seconds", "api"),
];

const searchColumns = [
	column("Searches", "rate", "sluice_objects_searches_total", "kind", "perSecond"),
	column("Total", "level", "sluice_objects_searches_total", "kind", "count"),
	...quantileColumns("sluice_objects_search_seconds", "kind"),
];

// The values of a label of which something was counted since the start.
function used(name, label) {
	return c.values(name, label).filter((value) => c.level(name, {[label]: value}));
}

function showTables() {
	const apis = used("sluice_kafka_requests_total", "api");
	const kinds = used("sluice_objects_searches_total", "kind");

	fillTable("listeners", "Listener", listenerColumns,
		c.values("sluice_connections", "listener"));
	byId("kafka").hidden = !apis.length;
	byId("kafka-empty").hidden = Boolean(apis.length);
	if (apis.length)
		fillTable("kafka", "API", kafkaColumns, apis);
	fillTable("http", "API", httpColumns, used("sluice_http_requests_total", "api"));
	byId("searches").hidden = !kinds.length;
	byId("searches-empty").hidden = Boolean(kinds.length);
	if (kinds.length)
		fillTable("searches", "Kind", searchColumns, kinds);
}

function makeCore(core) {
	const item = make("li"), bar = makeSvg("svg", {class: "bar", role: "img"});

	item.append(make("span", core), bar, make("span", undefined, "value"));
	return item;
}

function showCores() {
	const name = "sluice_core_busy_seconds_total", cores = c.values(name, "core");

	keyed(byId("cores"), cores, makeCore).forEach((item, i) => {
		const busy = c.rate(name, {core: cores[i]});
		const share = busy === null ? null : Math.min(1, busy);

		fillBar(item.querySelector(".bar"), [{className: "busy", share: share || 0}]);
		item.querySelector(".bar").setAttribute("aria-label",
			`core ${cores[i]} is busy ${say(share, "share")}`);
		put(item.querySelector(".value"), share, "share");
		item.classList.toggle("hot", share > 0.9);
	});
}

function showTerms() {
	fillTerms("storage", [
		{term: "Appended", value: c.rate("sluice_log_append_bytes_total"),
			format: "bytesPerSecond"},
		{term: "Appended since the start", value: c.level("sluice_log_append_bytes_total"),
			format: "bytes"},
		{term: "Batches", value: c.rate("sluice_log_append_batches_total"),
			format: "perSecond"},
		{term: "Group commits", value: c.rate("sluice_commit_rounds_total"),
			format: "perSecond"},
		{term: "Sync, half within", value: c.quantile("sluice_commit_fsync_seconds", 0.5),
			format: "seconds"},
		{term: "Sync, 99 % within", value: c.quantile("sluice_commit_fsync_seconds", 0.99),
			format: "seconds"},
		{term: "Failed logs", value: c.level("sluice_log_failed"), format: "count",
			alarming: true},
		{term: "Damaged batches", value: c.level("sluice_log_quarantined_total"),
			format: "count", alarming: true},
	]);
	fillTerms("objects", [
		{term: "Collections", value: c.level("sluice_objects_collections"),
			format: "count"},
		{term: "Of these in memory", value: c.level("sluice_objects_collections_open"),
			format: "count"},
		{term: "Objects in these", value: c.level("sluice_objects"), format: "count"},
		{term: "Vectors", value: c.level("sluice_objects_vectors"), format: "count"},
		{term: "Of these in indexes", value: c.level("sluice_objects_vectors_indexed"),
			format: "count"},
		{term: "Collections being indexed", value: c.level("sluice_objects_indexing"),
			format: "count"},
		{term: "Memory of keys and vectors", value: c.level("sluice_objects_memory_bytes"),
			format: "bytes"},
		{term: "On disk", value: c.level("sluice_objects_log_bytes"), format: "bytes"},
		{term: "Written", value: c.rate("sluice_objects_written_total"),
			format: "perSecond"},
		{term: "Collections that did not open",
			value: c.level("sluice_objects_failures_total"), format: "count",
			alarming: true},
		{term: "Objects lost", value: c.level("sluice_objects_lost_total"), format: "count",
			alarming: true},
	]);
	fillTerms("runtime", [
		{term: "Fibers in use", value: c.level("sluice_fibers"), format: "count"},
		{term: "Buffer memory in use", value: c.level("sluice_arena_bytes"),
			format: "bytes"},
		{term: "Ring operations", value: c.rate("sluice_ring_submits_total"),
			format: "perSecond"},
		{term: "Ring operations punted to workers",
			value: c.rate("sluice_ring_punts_total"), format: "perSecond"},
		{term: "Full completion queues", value: c.level("sluice_ring_overflows_total"),
			format: "count", alarming: true},
		{term: "Waits for a processor, 99 % within",
			value: c.quantile("sluice_core_runqueue_seconds", 0.99), format: "seconds"},
		{term: "Page cache misses", value: c.rate("sluice_pagecache_misses_total"),
			format: "perSecond"},
		{term: "Round trip, half within",
			value: c.quantile("sluice_tcp_round_trip_seconds", 0.5), format: "seconds"},
		{term: "Segments sent again", value: c.rate("sluice_tcp_retransmits_total"),
			format: "perSecond"},
		{term: "Messages between cores", value: c.rate("sluice_mailbox_messages_total"),
			format: "perSecond"},
	]);
}

// Samples above zero as terms: "kafka: small".
function terms(name, what) {
	return c.samples(name).filter((s) => s.value > 0).map((s) => ({
		term: `${s.labels.listener}, ${what}: ${s.labels.reason}`, value: s.value,
		format: "count",
	}));
}

function showExceptions() {
	const rows = [...terms("sluice_deliver_fallbacks_total", "sent otherwise"),
		...terms("sluice_connections_closed_total", "closed")];

	byId("exceptions-card").hidden = !rows.length;
	fillTerms("exceptions", rows);
}

function showPrograms() {
	const name = "sluice_bpf_program_loaded", programs = c.values(name, "program");

	byId("programs-card").hidden = !programs.length;
	keyed(byId("programs"), programs, () => make("li")).forEach((item, i) => {
		const on = c.level(name, {program: programs[i]}) > 0;

		setText(item, on ? programs[i] : `${programs[i]} (not loaded)`);
		item.className = on ? "on" : "off";
	});
}

function showNotices() {
	const failed = c.level("sluice_log_failed"), bad = c.level("sluice_log_quarantined_total");
	const texts = [];

	if (failed)
		texts.push(`${failed} partition${failed > 1 ? "s take" : " takes"} no more writes `
			+ "until a restart, after a disk error; the log says which (log.failed).");
	if (bad)
		texts.push(`${bad} stored batch${bad > 1 ? "es do" : " does"} not verify and `
			+ `${bad > 1 ? "are" : "is"} quarantined; the log says where `
			+ "(log.quarantined).");
	byId("notices").hidden = !texts.length;
	keyed(byId("notices"), texts, (text) => make("li", text));
}

function show() {
	showNotices();
	showTiles();
	showDelivery();
	showTables();
	showCores();
	showTerms();
	showExceptions();
	showPrograms();
}

// ---- the loop ------------------------------------------------------------------------------

const loop = {last: null, timer: 0, paused: false, running: false};

function setState(state, text) {
	byId("state").dataset.state = state;
	setText(byId("state"), text);
}

function clock() {
	return new Date().toLocaleTimeString();
}

async function ask(path, options = {}) {
	const signal = AbortSignal.timeout(TIMEOUT_MS);

	return fetch(path, {cache: "no-store", signal, ...options});
}

// Says why the daemon is not ready, if so.
async function askReady() {
	const answer = await ask("/readyz");

	if (answer.ok)
		setState("good", "serving");
	else
		setState("warn", (await answer.json()).error);
}

async function look() {
	const answer = await ask("/metrics");
	const text = await answer.text();
	const at = performance.now();

	if (!answer.ok)
		throw new Error(`/metrics: ${answer.status}`);
	const now = parse(text), last = loop.last;

	c = new Comparison(last && last.page, now, last ? (at - last.at) / 1000 : 1);
	loop.last = {page: now, at};
	show();
}

async function turn() {
	loop.running = true;
	try {
		await look();
		await askReady();
		byId("main").classList.remove("stale");
		setText(byId("freshness"),
			loop.paused ? `paused at ${clock()}` : "live, every second");
		document.body.dataset.looks = Number(document.body.dataset.looks || 0) + 1;
	} catch (error) {
		if (!byId("main").classList.contains("stale"))
			setText(byId("freshness"), `no answer since ${clock()}, asking again`);
		byId("main").classList.add("stale");
		setState("bad", "no answer");
	}
	loop.running = false;
	schedule();
}

function schedule() {
	clearTimeout(loop.timer);
	if (!loop.paused && !document.hidden && !loop.running)
		loop.timer = setTimeout(turn, loop.last ? INTERVAL_MS : 0);
}

function togglePause() {
	const button = byId("pause");

	loop.paused = !loop.paused;
	button.setAttribute("aria-pressed", loop.paused);
	button.textContent = loop.paused ? "Go on" : "Pause";
	if (loop.paused)
		setText(byId("freshness"), `paused at ${clock()}`);
	schedule();
}

async function showVersion() {
	const answer = await ask("/", {headers: {Accept: "application/json"}});

	setText(byId("version"), (await answer.json()).version);
}

byId("pause").addEventListener("click", togglePause);
document.addEventListener("visibilitychange", schedule);
document.title = `sluice – ${location.host}`;
showVersion().catch(() => {});
schedule();

})();
