-- wrk.lua: the figures of a run of wrk as one line of JSON behind wrk's own report.
-- Interface: wrk -s tools/bench/wrk.lua ...

function done(summary, latency, requests)
	local e = summary.errors
	io.write(string.format(
		'{"seconds":%.6f,"requests":%d,"bytes":%d,"errors":%d,' ..
		'"latency_p50_us":%d,"latency_p99_us":%d,"latency_p999_us":%d}\n',
		summary.duration / 1e6, summary.requests, summary.bytes,
		e.connect + e.read + e.write + e.status + e.timeout,
		latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
