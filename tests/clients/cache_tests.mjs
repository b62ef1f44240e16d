// cache_tests: what a run of http-tests/cache-tests has shown, counted as the suite itself counts.
//
// Interface: node cache_tests.mjs SUITE RESULTS..., SUITE being the suite's folder and RESULTS what
// its client printed, in each of some runs. Prints a line of JSON for each test outside a browser:
// id, kind (required, optimal, check), verdict and what was wrong. A test that passed in any of the
// runs has passed: a machine that stands still for a second fails a test, and passes none.
import fs from 'fs'
import path from 'path'

const [suite, ...runs] = process.argv.slice(2)
const engine = ['test-engine', '.'].map(name => path.join(suite, name))
  .find(name => fs.existsSync(path.join(name, 'cli.mjs')))
// Where the function is depends on the release.
const judge = await import(['results.mjs', 'display.mjs'].map(name => path.join(engine, 'lib', name))
  .find(name => fs.existsSync(name)))
const { default: suites } = await import(path.join(suite, 'tests', 'index.mjs'))

const seen = {}
for (const run of runs) {
  for (const [id, result] of Object.entries(JSON.parse(fs.readFileSync(run)))) {
    if (seen[id] !== true) seen[id] = result
  }
}

const symbols = {
  '✅': 'pass', Y: 'pass', '⛔️': 'fail', '⚠️': 'fail', N: 'fail', '🔹': 'setup', '⁉️': 'harness',
  '⚪️': 'dependency', '↻': 'retry', '-': 'untested'
}
for (const test of suites.flatMap(s => s.tests).filter(t => !t.browser_only)) {
  const symbol = judge.determineTestResult(suites, test.id, seen)[2]
  const why = Array.isArray(seen[test.id]) ? seen[test.id].join(': ') : ''
  console.log(JSON.stringify({
    id: test.id, kind: test.kind || 'required', verdict: symbols[symbol] || symbol, why
  }))
}
