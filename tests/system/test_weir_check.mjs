// Goal: `weir ls --stuck` and `weir check` raise the alarm when a bound was passed and only then, and `weir show` says
// since when each fact holds.
// Method: as test_weir_cli.mjs: the real binary, a fake registry that does nothing by itself, no sleep.
// Run: node --test tests/system/test_weir_check.mjs
import assert from 'node:assert/strict';
import { A, AWAY, B, DONE, LATE, USAGE, check, managed, opened, providerReport, stream } from '../lib/weir_cli_world.mjs';

const OK = 0;
const WARNING = 1;
const CRITICAL = 2;
const UNKNOWN = 3;
const ago = (s) => Date.now() - s * 1000;
const quiet = (s, fields) => ({ created_ms: ago(1000), activity_ms: ago(s), ...fields });
const gateway = (name, number, state) => ({ type: 'gateway.changed', gateway: number, name, state });

const up = [gateway('gateway-1', 1, 'up'), gateway('gateway-2', 2, 'up')];
const link = (user, seq, state) => ({ type: 'link.changed', user_id: user, link: 3, gateway: 1, state, seq });
const glasses = (user, seq, connected) => ({ type: 'glasses.changed', user_id: user, connected, seq });

/* Streams within their bounds: whole minutes would pass before these became stuck. */
const healthy = [
  ...up,
  link(A, 1, 'up'),
  glasses(A, 2, true),
  stream('s-live', A, quiet(100000, {})),
  stream('s-start', B, quiet(5, { phase: 'starting' })),
  stream('s-stop', 'c@x', quiet(5, { phase: 'stopping' })),
  stream('s-suspect', 'd@x', quiet(5, { phase: 'suspect', missed: 1 })),
  stream('s-owes', 'e@x', quiet(300, { phase: 'closed', end_cause: 'app_stop', stop_owed: true })),
];

check('ls --stuck: none', async (fake) => {
  await fake.does('rows', { events: healthy });
  const text = await fake.weir(['ls', '--stuck']);

  assert.equal(text.code, DONE, text.stderr);
  assert.equal(text.stdout, 'no stuck streams\n');
  const json = await fake.weir(['ls', '--stuck', '-o', 'json']);

  assert.deepEqual([json.code, json.stdout], [DONE, '[]\n']);
});

check('ls --stuck: each rule, and its bound', async (fake) => {
  for (const [phase, fields, bound, within, more = []] of [
    ['requested', {}, '--start-bound', 60],
    ['provisioning', {}, '--start-bound', 60],
    ['starting', {}, '--start-bound', 60],
    ['stopping', {}, '--stop-bound', 60],
    ['suspect', { missed: 1 }, '--silent-bound', 30],
    ['closed', { told_owed: true }, '--owed-bound', 600],
    ['closed', { stop_owed: true }, '--owed-bound', 600],
    ['closed', { kind: 'managed' }, '--input-bound', 890, [managed('s-1', A, { input: 'delete_owed' })]],
  ]) {
    const row = (s) => ({ events: [...up, stream('s-1', A, quiet(s, { phase, ...fields })), ...more] });

    await fake.does('rows', row(within));
    assert.equal((await fake.weir(['ls', '--stuck'])).code, DONE, `${phase} for ${within} s`);
    const closer = await fake.weir(['ls', '--stuck', bound, String(within / 2), '-o', 'json']);

    assert.equal(closer.code, USAGE);
    assert.match(JSON.parse(closer.stdout)[0].stuck, /^stuck: [a-z ]+ for /);
    await fake.does('rows', row(within + 40));
    const over = await fake.weir(['ls', '--stuck']);

    assert.equal(over.code, USAGE, `${phase} for ${within + 40} s`);
    assert.match(over.stdout, /s-1 .*stuck: /);
  }
});

check('ls --stuck: a live stream that is cut off; its time comes from the history', async (fake) => {
  const cut = [
    { type: 'session.opened', user_id: A, sent_ms: ago(500) },
    { type: 'link.changed', user_id: A, state: 'down', code: 1006, sent_ms: ago(60) },
    { type: 'glasses.changed', user_id: B, connected: false, sent_ms: ago(50) },
    { type: 'link.changed', user_id: 'c@x', state: 'down', sent_ms: ago(5) },
  ];

  await fake.does('story', { events: cut });
  await fake.does('rows', {
    events: [
      ...up,
      link(A, 2, 'down'),
      link(B, 1, 'up'),
      glasses(B, 3, false),
      link('c@x', 4, 'down'),
      stream('s-phone', A, quiet(400, {})),
      stream('s-ble', B, quiet(400, {})),
      stream('s-fresh', 'c@x', quiet(400, {})),
    ],
  });
  const { code, stdout } = await fake.weir(['ls', '--stuck', '-o', 'json']);
  const stuck = JSON.parse(stdout).map((s) => `${s.stream_id} ${s.stuck.replace(/ for .*/, '')}`);

  assert.equal(code, USAGE);
  assert.deepEqual(stuck.sort(), ['s-ble stuck: glasses away', 's-phone stuck: phone away']);
  await fake.does('forget', { count: 4 });
  assert.equal((await fake.weir(['ls', '--stuck'])).code, DONE, 'no time, no verdict');
});

check('show: since when each fact holds', async (fake) => {
  await fake.does('story', {
    events: [
      { type: 'session.opened', user_id: A, sent_ms: ago(7200) },
      { type: 'link.changed', user_id: A, link: 3, gateway: 1, state: 'down', code: 1001, sent_ms: ago(600) },
      { type: 'glasses.changed', user_id: A, connected: true, sent_ms: ago(300) },
      { type: 'app.changed', user_id: A, package: 'com.a', state: 'grace', reason: 'socket lost', sent_ms: ago(180) },
      { type: 'app.changed', user_id: B, package: 'com.a', state: 'running', sent_ms: ago(10) },
    ],
  });
  await fake.does('rows', {
    events: [
      ...up,
      { type: 'session.opened', user_id: A, seq: 1 },
      link(A, 2, 'down'),
      glasses(A, 3, true),
      { type: 'app.changed', user_id: A, package: 'com.a', state: 'grace', seq: 4 },
    ],
  });
  const text = (await fake.weir(['show', A])).stdout;

  assert.match(text, /session +open, for 2h00m\n/);
  assert.match(text, /phone link +down, closed with 1001, for 10m\n/);
  assert.match(text, /glasses .*wifi unknown, for 5m\n/);
  assert.match(text, /app +com\.a: grace, for 3m\n(.*\n)?.*because: socket lost\n/);
  const { user } = JSON.parse((await fake.weir(['show', A, '-o', 'json'])).stdout);

  for (const at of [user.session_at_ms, user.link.at_ms, user.glasses.at_ms, user.apps[0].at_ms])
    assert.ok(at > ago(8000) && at < ago(100), `${at}`);
  await fake.does('forget', { count: 5 });
  assert.match((await fake.weir(['show', A])).stdout, /session +open\n/, 'what is not kept has no age');
});

check('check: all is well', async (fake) => {
  await fake.does('story', { events: [{ ...opened('s-live'), sent_ms: ago(86400) }] });
  await fake.does('rows', { events: healthy });
  const nagios = await fake.weir(['check']);

  assert.equal(nagios.code, OK, nagios.stdout + nagios.stderr);
  assert.match(
    nagios.stdout,
    /^WEIR OK - active 4, suspect 1, stuck 0, gateways_up 2 \| answer_ms=\d+ms;;;0 active=4;;;0 suspect=1;;;0 stuck=0;;1;0 gateways_up=2 gateways_lost=0;1;;0 liabilities=1;;;0 liability_age_s=30\ds;;;0 inputs_in_use=0;;;0 inputs_owed=0;;;0 history_s=8640\ds\n$/,
  );
  const json = JSON.parse((await fake.weir(['check', '--format', 'json'])).stdout);

  assert.equal(json.state, 'OK');
  assert.deepEqual(json.problems, []);
  assert.deepEqual([json.reachable, json.story, json.active, json.liabilities], [true, true, 4, 1]);
  assert.deepEqual(json.phases, {
    requested: 0,
    provisioning: 0,
    starting: 1,
    live: 1,
    suspect: 1,
    stopping: 1,
    closed: 1,
  });
  assert.equal((await fake.weir(['check', '-o', 'json'])).objects[0].state, 'OK');
});

check('check: Prometheus text', async (fake) => {
  await fake.does('story', { events: [opened('s-live')] });
  await fake.does('rows', { events: healthy });
  const { code, stdout } = await fake.weir(['check', '--format', 'prom']);
  const names = new Set();

  assert.equal(code, DONE);
  for (const line of stdout.trimEnd().split('\n')) {
    const [, kind, name] = line.match(/^# (HELP|TYPE) (\S+) \S/) ?? [];

    if (kind === 'HELP') assert.ok(!names.has(name), `${name} once`);
    if (kind) names.add(name);
    else assert.ok(names.has(line.match(/^(weir_[a-z_]+)(\{phase="[a-z]+"\})? \d+$/)?.[1]), line);
  }
  for (const name of ['reachable', 'story', 'stuck', 'suspect', 'active', 'gateways_lost', 'history_s'])
    assert.ok(names.has(`weir_check_${name}`), name);
  assert.match(stdout, /^weir_check_reachable 1$/m);
  assert.match(stdout, /^weir_check_streams\{phase="suspect"\} 1$/m);
});

check('check: thresholds', async (fake) => {
  await fake.does('story', { events: [{ ...opened('s-live'), sent_ms: ago(100) }] });
  const judge = async (events, args, code, text) => {
    await fake.does('rows', { events });
    const { stdout, ...got } = await fake.weir(['check', ...args]);

    assert.equal(got.code, code, `${args}: ${stdout}${got.stderr}`);
    assert.match(stdout, text);
  };
  const stuck = [...healthy, stream('s-dead', 'z@x', quiet(500, { phase: 'starting' }))];
  const lost = [gateway('gateway-1', 1, 'up'), gateway('gateway-2', 2, 'lost')];

  await judge(stuck, [], CRITICAL, /^WEIR CRITICAL - stuck 1, active 5/);
  await judge(stuck, ['--stuck-critical', '2'], OK, /^WEIR OK/);
  await judge(stuck, ['--stuck-critical', '2', '--stuck-warning', '1'], WARNING, /^WEIR WARNING - stuck 1/);
  await judge(stuck, ['--start-bound', '600'], OK, /^WEIR OK/);
  await judge(healthy, ['--suspect-warning', '1'], WARNING, /^WEIR WARNING - suspect 1/);
  await judge(healthy, ['--suspect-warning', '2'], OK, /^WEIR OK/);
  await judge(healthy, ['--suspect-warning', '1', '--suspect-critical', '1'], CRITICAL, /^WEIR CRITICAL/);
  await judge(healthy, ['--active-critical', '4'], CRITICAL, /active 4/);
  await judge(healthy, ['--owed-warning', '1'], WARNING, /liabilities 1/);
  await judge(healthy, ['--history-warning', '1000'], WARNING, /history_s 10\d/);
  await judge(healthy, ['--history-warning', '90'], OK, /^WEIR OK/);
  await judge(healthy, ['--gateways-warning', '3'], WARNING, /gateways_up 2/);
  await judge(lost, [], WARNING, /^WEIR WARNING - gateways_lost 1/);
  await judge([], [], CRITICAL, /^WEIR CRITICAL - gateways_up 0/);
});

check('check: inputs and quota of the provider', async (fake) => {
  const ready = (id, user) => [stream(id, user, { kind: 'managed' }), managed(id, user)];

  await fake.does('story', { events: [opened('s-live')] });
  await fake.does('rows', {
    events: [
      ...up,
      ...ready('s-1', A),
      ...ready('s-2', B),
      stream('s-3', 'c@x', { kind: 'managed', phase: 'closed' }),
      managed('s-3', 'c@x', { input: 'delete_owed' }),
    ],
  });
  const run = async (...args) => fake.weir(['check', '--timeout', '2000', ...args]);
  const none = await run();

  assert.equal(none.code, OK, 'no managed-adapter, nothing to be told');
  assert.match(none.stdout, / inputs_in_use=2;;;0 inputs_owed=1;;;0 history/);
  assert.equal((await run('--inputs-owed-critical', '1')).code, CRITICAL);
  await fake.does('managed');
  await fake.does('inputs', { events: [], report: providerReport({ used: 799, limit: 1000 }) });
  assert.equal((await run()).code, OK);
  const prom = (await run('--format', 'prom')).stdout;

  for (const line of ['inputs_in_use 2', 'inputs_owed 1', 'inputs_leaked 0', 'quota_used_minutes 799', 'quota_percent 79'])
    assert.ok(prom.includes(`\nweir_${line}\n`), line);
  await fake.does('inputs', { events: [], report: providerReport({ leaks: 2, used: 800, limit: 1000 }) });
  const leaks = await run();

  assert.equal(leaks.code, WARNING);
  assert.match(leaks.stdout, /^WEIR WARNING - inputs_leaked 2, quota_percent 80, active/);
  assert.equal((await run('--leaks-critical', '2')).code, CRITICAL);
  assert.equal((await run('--leaks-warning', '3', '--quota-warning', '81')).code, OK);
  await fake.does('inputs', { events: [], report: providerReport({ result: 'failed' }) });
  assert.match((await run()).stdout, /^WEIR WARNING - not telling of its provider/);
  await fake.does('inputs', { events: [], report: providerReport({ result: 'refused', provider: 'none' }) });
  assert.equal((await run()).code, OK, 'no provider is configured');
});

check('check: a registry that is away, mute, or whose story does not arrive', async (fake) => {
  const away = ['--run', '/tmp/no-such-run-directory'];
  const gone = await fake.weir(['check', ...away]);

  assert.equal(gone.code, CRITICAL);
  assert.match(gone.stdout, /^WEIR CRITICAL - not reachable \|\n$/);
  const prom = await fake.weir(['check', '--format', 'prom', ...away]);

  assert.equal(prom.code, AWAY);
  assert.match(prom.stdout, /^weir_check_reachable 0$/m);
  const json = await fake.weir(['check', '--format', 'json', ...away]);

  assert.equal(json.code, AWAY);
  assert.deepEqual([json.objects[0].state, json.objects[0].problems], ['CRITICAL', ['reachable']]);
  await fake.does('rows', { events: healthy });
  await fake.does('story', { events: [opened('s-live')] });
  await fake.does('set', { silent: true });
  const silent = await fake.weir(['check', '--timeout', '1500']);

  assert.equal(silent.code, CRITICAL);
  assert.match(silent.stdout, /^WEIR CRITICAL - not telling its story/);
  await fake.does('set', { mute: true });
  assert.equal((await fake.weir(['check', '--timeout', '1500'])).code, CRITICAL);
  assert.equal((await fake.weir(['check', '--timeout', '1500', '--format', 'json'])).code, LATE);
});

check('check: what it does not understand, and its help', async (fake) => {
  const odd = await fake.weir(['check', '--format', 'xml']);

  assert.equal(odd.code, USAGE);
  assert.match(odd.stderr, /--format takes nagios, prom or json, not 'xml'/);
  const { stdout } = await fake.weir(['check', '--help']);

  assert.match(stdout, /A stream is stuck if it is/);
  assert.match(stdout, new RegExp(`exit status of --format nagios: 0 OK, 1 warning, 2 critical .*\n${UNKNOWN} unknown`));
  assert.match((await fake.weir(['ls', '--help'])).stdout, /A stream is stuck if it is/);
});
