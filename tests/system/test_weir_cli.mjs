// Goal: every command of `weir` keeps its contract: what it prints, its exit codes, and that no answer of a
// registry, right or wrong, makes it lie, hang or show a secret.
// Method: the real binary against tests/lib/fake_registry.c, which does nothing by itself: the test decides what
// is published, lost, garbled or cut off, and waits for what it caused.  Nothing sleeps.
// Run: node --test tests/system/test_weir_cli.mjs
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { A, AWAY, B, DONE, G1, LATE, USAGE, check, rows, stream } from '../lib/weir_cli_world.mjs';

check('ls: an empty system', async (fake) => {
  assert.deepEqual(await fake.weir(['ls']), { code: DONE, stdout: 'no streams\n', stderr: '', objects: [] });
  assert.equal((await fake.weir(['ls', '-o', 'json'])).stdout, '[]\n');
  assert.equal((await fake.weir(['ls', '-ojsonl'])).stdout, '');
  assert.equal((await fake.weir(['gateways'])).stdout, 'no gateways\n');
  assert.equal((await fake.weir(['gateways', '--output=json'])).stdout, '[]\n');
});

check('ls: table, JSON, filters, closed ones only on request', async (fake) => {
  await fake.does('rows', { events: rows });
  const table = await fake.weir(['ls', '--all']);

  assert.equal(table.code, DONE);
  const lines = table.stdout.split('\n');

  assert.match(lines[0], /^STREAM +USER +KIND +PHASE +APP +EPOCH +AGE +SEEN +LINK +MISSED +NOTE$/);
  assert.match(lines[1], /^s-one +alice@\S+ +unmanaged +live +\S+live +3 +2m +\ds +up$/);
  assert.match(lines[2], /^s-two +bob@\S+ +unmanaged +closed +\S+live +9 +2m +\ds +down +3 +stop owed/);
  assert.ok(lines.every((line) => [...line].length <= 100));
  assert.doesNotMatch(table.stdout, /\x1b/);

  const one = await fake.weir(['ls', '-o', 'json']);
  const records = JSON.parse(one.stdout);

  assert.equal(records.length, 1);
  assert.deepEqual(records[0], {
    stream_id: 's-one',
    user_id: A,
    kind: 'unmanaged',
    phase: 'live',
    app: 'com.example.live',
    epoch: 3,
    viewers: 1,
    created_ms: rows[10].created_ms,
    activity_ms: rows[10].activity_ms,
    missed: 0,
    link_state: 'up',
    gateway: 'gateway-1',
    start_delivered: true,
    stop_owed: false,
    told_owed: false,
    end_cause: 'none',
    hop: 'none',
  });
  const ids = async (...args) =>
    JSON.parse((await fake.weir(['ls', '-o', 'json', ...args])).stdout).map((r) => r.stream_id);

  assert.deepEqual(await ids('--all'), ['s-one', 's-two']);
  assert.deepEqual(await ids('--all', '--user', B), ['s-two']);
  assert.deepEqual(await ids('--phase', 'closed'), ['s-two']);
  assert.deepEqual(await ids('--kind', 'managed'), []);
  assert.deepEqual(await ids('--app', 'com.example.live'), ['s-one']);
  assert.deepEqual(await ids('--app', 'com.example'), []);
});

check('ls: many rows in many frames, oldest first; nothing from the wire moves the cursor', async (fake) => {
  const many = Array.from({ length: 500 }, (_, i) =>
    stream(`s-${i}`, `user-${i}@example.com`, { created_ms: 1000 + ((i * 7919) % 500) }),
  );

  many.push(stream('s-bad', 'evil\x1b[2J\u202e\u009b@example.com', { created_ms: 1, package: 'a\n\tb"\\' }));
  await fake.does('rows', { events: many });
  const { code, stdout } = await fake.weir(['ls', '-o', 'json']);
  const records = JSON.parse(stdout);

  assert.equal(code, DONE);
  assert.equal(records.length, 501);
  assert.ok(records.every((r, i) => i === 0 || r.created_ms >= records[i - 1].created_ms));
  assert.equal(records[0].user_id, 'evil\x1b[2J\u202e\u009b@example.com');
  assert.equal(records[0].app, 'a\n\tb"\\');
  const table = await fake.weir(['ls']);

  assert.equal(table.stdout.split('\n').length, 503);
  assert.doesNotMatch(table.stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
});

check('ls and show: no secret, whatever the registry sends', async (fake) => {
  await fake.does('rows', { events: rows });
  for (const args of [['ls', '--all'], ['show', 's-one'], ['show', A]])
    for (const format of ['text', 'json', 'jsonl'])
      assert.doesNotMatch((await fake.weir([...args, '-o', format])).stdout, /secret/);
});

check('show: a stream, a user, neither', async (fake) => {
  await fake.does('rows', { events: rows });
  const text = (await fake.weir(['show', 's-two'])).stdout;

  assert.match(text, /^stream s-two\n {2}user +bob@example.com\n/);
  assert.match(text, /\n {2}ended by +phone_lost, at: phone link\n/);
  assert.match(text, /\n {2}still owed +a stop to the device, in the name of com.example.live\n/);
  assert.match(text, /\n {2}still owed +word of the end to the app\n/);
  assert.match(text, /\nuser bob@example.com\n {2}session +ending\n {2}phone link +down, closed with 1006\n/);

  const shown = JSON.parse((await fake.weir(['show', A, '-o', 'json'])).stdout);

  assert.deepEqual(shown.user, {
    user_id: A,
    session: 'ready',
    session_at_ms: 0,
    link: { state: 'up', link: 12, gateway: 'gateway-1', code: 0, at_ms: 0 },
    glasses: { known: true, model: 'Mentra Live', connected: true, wifi: 'on', at_ms: 0 },
    apps: [
      {
        package: 'com.example.live',
        state: 'running',
        app_type: 'standard',
        link: 3,
        gateway: 'gateway-1',
        reason: '',
        at_ms: 0,
        subscriptions: ['button_press', 'vad'],
      },
    ],
  });
  assert.deepEqual(
    shown.streams.map((s) => s.stream_id),
    ['s-one'],
  );
  assert.equal(shown.streams[0].video, '{"width":1280}');
  const nobody = await fake.weir(['show', 's-three']);

  assert.equal(nobody.code, USAGE);
  assert.match(nobody.stderr, /no stream or user s-three; `weir ls --all`/);
  assert.equal(nobody.stdout, '');
});

check('gateways: counted from the rows', async (fake) => {
  await fake.does('rows', { events: rows });
  assert.deepEqual(JSON.parse((await fake.weir(['gateways', '-o', 'json'])).stdout), [
    { name: 'gateway-1', incarnation: G1, state: 'up', links: 1, apps: 1, reason: '' },
    { name: 'gateway-2', incarnation: 77, state: 'lost', links: 0, apps: 0, reason: 'no beat for 5000 ms' },
  ]);
  const table = (await fake.weir(['gateways'])).stdout;

  assert.match(table, /^NAME +INCARNATION +STATE +LINKS +APPS +NOTE\ngateway-1 +0{12}1092 +up +1 +1\n/);
});

check('hello, routing id and request are as the protocol wants them', async (fake) => {
  assert.equal((await fake.weir(['stop', 's-one', '--user', A, '--timeout', '9000'])).code, DONE);
  const hello = await fake.gets('peer.hello');
  const stop = await fake.gets('operator.stop');

  assert.equal(hello.number, 0);
  assert.equal(hello.got.role, 'operator');
  assert.match(hello.got.name, /^weir-\d+$/);
  assert.equal(hello.got.source, hello.got.name);
  assert.equal(hello.got.protocol, 1);
  assert.equal(hello.peer, `07${hello.incarnation}00000001`);
  assert.equal(stop.peer, hello.peer);
  assert.equal(stop.number, 1);
  assert.equal(stop.got.request, 1);
  assert.equal(stop.got.stream_id, 's-one');
  assert.equal(stop.got.user_id, A);
  assert.match(stop.got.by, /^operator:./);
  const left = stop.got.expires_ms - Number(process.hrtime.bigint() / 1000000n);

  assert.ok(left > 0 && left <= 9000, `${left} ms`);
  assert.equal((await fake.weir(['ls'])).code, DONE);
  const get = await fake.gets('snapshot.get');

  assert.notEqual(get.peer, hello.peer, 'every start is another incarnation');
  assert.equal(get.number, 0);
});

check('stop: done, not found, refused, too late', async (fake) => {
  const done = await fake.weir(['stop', 's-one']);

  assert.deepEqual([done.code, done.stdout, done.stderr], [DONE, 'stopped s-one\n', '']);
  assert.deepEqual(JSON.parse((await fake.weir(['stop', 's-one', '-o', 'json'])).stdout), {
    result: 'ok',
    stream_id: 's-one',
    user_id: '',
    reason: '',
  });
  await fake.does('set', { result: 'not_found', reason: '' });
  const missing = await fake.weir(['stop', '--user', A]);

  assert.equal(missing.code, USAGE);
  assert.match(missing.stderr, /user alice@example.com: there is no live stream; `weir ls`/);
  await fake.does('set', { result: 'failed', reason: 'the disk is full' });
  const failed = await fake.weir(['stop', 's-one']);

  assert.equal(failed.code, USAGE);
  assert.match(failed.stderr, /did not stop stream s-one \(failed\): the disk is full/);
  await fake.does('set', { result: 'expired' });
  assert.equal((await fake.weir(['stop', 's-one'])).code, LATE);
  await fake.does('set', { mute: true });
  const silent = await fake.weir(['stop', 's-one', '--timeout', '1500']);

  assert.equal(silent.code, LATE);
  assert.match(silent.stderr, /no answer from the registry within 1500 ms/);
  assert.match(silent.stderr, /whether it was stopped is not known/);
});

check('the registry refuses, garbles, miscounts, is cut off', async (fake) => {
  await fake.does('rows', { events: rows });
  await fake.does('set', { garble: true });
  const garbled = await fake.weir(['ls', '-o', 'json']);

  assert.equal(JSON.parse(garbled.stdout).length, 1);
  assert.match(garbled.stderr, /4 malformed answers were dropped/);
  await fake.does('set', { garble: false, cut: true });
  const cut = await fake.weir(['ls', '-o', 'json', '--all']);

  assert.equal(cut.code, DONE, cut.stderr);
  assert.equal(JSON.parse(cut.stdout).length, 2, 'asked again, and nothing is there twice');
  await fake.does('set', { miscount: true });
  const short = await fake.weir(['ls']);

  assert.deepEqual([short.code, short.stdout], [USAGE, '']);
  assert.match(short.stderr, /rows of the snapshot are missing/);
  await fake.does('set', { refuse: true, reason: 'protocol 1 is \x1b[1mtoo old' });
  const refused = await fake.weir(['ls']);

  assert.equal(refused.code, USAGE);
  assert.match(refused.stderr, /refuses to answer: protocol 1 is \\u001b\[1mtoo old/);
});

check('nobody there', async (fake) => {
  const nowhere = join(fake.run, 'nowhere');

  for (const args of [['ls'], ['show', 'x'], ['stop', 'x'], ['gateways'], ['tap'], ['tap', '--history']]) {
    const { code, stderr } = await fake.weir([...args, '--run', nowhere]);

    assert.equal(code, AWAY, args[0]);
    assert.match(stderr, /cannot connect: nobody answers at .*nowhere\/registry\.\w+\n.*scripts\/supervise/);
  }
  /* Somebody listens, but it is no ZeroMQ peer that ever says a word. */
  mkdirSync(nowhere);
  const sockets = [];

  for (const name of ['registry.snapshot', 'registry.outbox']) {
    const server = createServer((socket) => socket.resume().on('error', () => {}));

    await new Promise((resolve) => server.listen(join(nowhere, name), resolve));
    sockets.push(server);
  }
  for (const command of ['ls', 'tap'])
    assert.equal((await fake.weir([command, '--run', nowhere, '--timeout', '100'])).code, AWAY, command);
  await Promise.all(sockets.map((server) => new Promise((resolve) => server.close(resolve))));
});

check('wrong usage says what would be right', async (fake) => {
  const cases = [
    [[], /^usage: weir COMMAND/],
    [['lss'], /no command 'lss'; `weir help` lists them/],
    [['ls', '--phase', 'alive'], /--phase takes one of: requested .* closed/],
    [['ls', '--users'], /unknown option --users; `weir ls --help`/],
    [['ls', 'extra'], /usage: weir ls \[OPTION/],
    [['ls', '--user'], /--user needs a value: USER/],
    [['ls', '--user', 'x'.repeat(255)], /--user takes 1 to 254 bytes, these are 255/],
    [['show'], /usage: weir show STREAM\|USER/],
    [['stop'], /give a STREAM, or --user USER/],
    [['stop', 'x'.repeat(33)], /a stream id has 1 to 32 bytes/],
    [['ls', '-o', 'yaml'], /-o takes text, json or jsonl, not 'yaml'/],
    [['ls', '--timeout', '0'], /--timeout takes a number from 1 to 3600000, not '0'/],
    [['ls', '--run', 'x'.repeat(81)], /--run takes 1 to 80 bytes/],
    [['tap', '--type', 'stream.opend'], /no event matches --type 'stream.opend'/],
    [['tap', '--expect', 'deliver.start'], /no event is called 'deliver.start'/],
    [['tap', '--expect', 'stream.closed:cause_=x'], /stream.closed has no field 'cause_'/],
    [['tap', '--expect', 'stream.closed:end_cause=phone_gone'], /end_cause is never 'phone_gone'/],
    [['tap', '--expect', 'stream.opened:rtmp_url=x'], /rtmp_url cannot be compared: it is a secret/],
    [['tap', '--ops', '--no-ops'], /exclude each other/],
    [['tap', '--count', '1', '--expect', 'stream.opened'], /exclude each other/],
    [['tap', '--ready-fd', '57'], /--ready-fd 57: no such descriptor/],
    [['help', 'lss'], /no command 'lss'/],
  ];

  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await fake.weir(args);

    assert.equal(code, USAGE, args.join(' '));
    assert.equal(stdout, '', args.join(' '));
    assert.match(stderr, message);
  }
  const long = await fake.weir(['ls'], { env: { WEIR_RUN_DIR: `/${'x'.repeat(200)}` } });

  assert.equal(long.code, USAGE);
  assert.match(long.stderr, /more than 80 bytes/);
});

check('help and version', async (fake) => {
  assert.match((await fake.weir(['--version'])).stdout, /^weir \S+ \(protocol 1\)\n$/);
  assert.match((await fake.weir(['--help'])).stdout, /tap +show events as they happen/);
  for (const command of ['tap', 'ls', 'show', 'stop', 'gateways', 'help']) {
    const { code, stdout } = await fake.weir([command, '--help']);

    assert.equal(code, DONE);
    assert.match(stdout, new RegExp(`^usage: weir ${command} `));
    assert.match(stdout, /\nexamples:\n {2}weir/);
    if (command !== 'help') assert.equal((await fake.weir(['help', command])).stdout, stdout);
  }
  assert.match((await fake.weir(['help', 'events'])).stdout, /\nstream.closed\n {4}end_cause/);
});

check('the launcher says when nothing is built', async (fake) => {
  const { code, stderr } = await fake.weir(['ls'], { env: { WEIR_BIN_DIR: fake.run } });

  assert.equal(code, 1);
  assert.match(stderr, /not built: there is no .*\/weir; run: .*meson/);
});
