// The local provider with a real nginx, ffmpeg and ffprobe, without the rest of weir: who may publish,
// what viewers can read, what happens when parts of it die, and that nothing stays behind.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LocalProvider, processes } from '../lib/local_provider.mjs';
import { Nginx } from '../lib/nginx.mjs';
import { Publisher, probe } from '../lib/publisher.mjs';

const publishingMs = 15000; /* ffmpeg needs a second or two on a busy machine */

let provider;
let receiver;

before(async () => {
  provider = await LocalProvider.start();
  receiver = await Nginx.start();
});

after(async () => {
  await receiver?.stop();
  await provider?.stop();
});

const keyOf = (address) => new URL(address).searchParams.get('key');

const seen = (id, ingest, from) =>
  provider.hint({ type: 'provider.hint', input_id: id, ingest }, from);

const sent = (id, state, from) =>
  provider.hint({ type: 'provider.output_hint', input_id: id, state }, from);

async function publish(address) {
  const publisher = new Publisher(address).start();

  await publisher.waitEvent('connected', publishingMs);
  return publisher;
}

/* An input that is being published to. */
async function live(id) {
  const { address, hls, dash } = await provider.create(id);
  const from = provider.entries.length;
  const publisher = await publish(address);

  await seen(id, 'live', from);
  return { address, hls, dash, publisher };
}

/* Deletes @id; resolves when its publisher, if it has one, was cut off. */
async function over(id, publisher) {
  const answer = await provider.call('delete', { input_id: id });

  assert.equal(answer.outcome, 'ok', provider.story());
  if (publisher) await publisher.waitEvent('exit', publishingMs);
}

const picture = (streams) => streams.map((stream) => stream.codec_name).sort();

/* Publishing to @address fails; ffmpeg ends by itself. */
async function refused(address) {
  const publisher = new Publisher(address).start();
  const { code } = await publisher.waitEvent('exit', publishingMs);

  assert.notEqual(code, 0);
  assert.equal(publisher.entries.filter((e) => e.event === 'connected').length, 0);
}

describe('local provider', () => {
  test('published: HLS and DASH are readable, and end with the input', async () => {
    const { hls, dash, publisher } = await live('readable');

    await provider.playable('readable');
    assert.deepEqual(picture((await probe(hls)).streams), ['aac', 'h264']);
    assert.deepEqual(picture((await probe(dash)).streams), ['aac', 'h264']);
    const answer = await fetch(hls);

    assert.equal(answer.headers.get('content-type'), 'application/vnd.apple.mpegurl');
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    await over('readable', publisher);
    assert.match(await (await fetch(hls)).text(), /#EXT-X-ENDLIST\n$/);
    assert.equal((await provider.call('describe', { input_id: 'readable' })).outcome, 'gone');
    assert.equal((await provider.call('delete', { input_id: 'readable' })).outcome, 'gone');
  });

  test('a wrong key, no key, an unknown input: refused', async () => {
    const { address } = await provider.create('locked');
    const wrong = address.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));

    await Promise.all([
      refused(wrong),
      refused(address.replace(/\?.*/, '')),
      refused(address.replace('locked', 'unknown')),
    ]);
    assert.equal(
      (await provider.call('describe', { input_id: 'locked' })).ingest_state,
      'idle',
      'nobody was let in',
    );
    await over('locked');
  });

  test('a second publisher is refused, the first goes on', async () => {
    const { address, publisher } = await live('twice');

    await refused(address);
    assert.equal((await provider.call('describe', { input_id: 'twice' })).ingest_state, 'live');
    assert.equal(publisher.connected, true);
    await over('twice', publisher);
  });

  test('the same call again gives the same input; a publisher that was lost may come back', async () => {
    const { address, publisher } = await live('again');

    assert.equal((await provider.create('again')).address, address);
    let from = provider.entries.length;

    await publisher.kill();
    await seen('again', 'lost', from);
    from = provider.entries.length;
    const second = await publish(address);

    await seen('again', 'live', from);
    await over('again', second);
  });

  test('a publisher that is frozen is found', async () => {
    const { publisher } = await live('frozen');
    const from = provider.entries.length;

    process.kill(publisher.pid, 'SIGSTOP');
    await seen('frozen', 'lost', from);
    process.kill(publisher.pid, 'SIGKILL');
    await over('frozen', publisher);
  });

  test('output: down, then up, then removed; no key in any argument or log', async () => {
    const { publisher } = await live('copied');
    const url = `${receiver.url('copy')}?secret=nobody-may-read-this`;
    const nowhere = 'rtmp://127.0.0.1:9/live/nobody-may-read-this';
    let from = provider.entries.length;

    const added = await provider.call('output_add', { input_id: 'copied', output: 1, url });

    assert.equal(added.outcome, 'ok');
    assert.equal(added.remote_id, '1');
    await sent('copied', 'active', from);
    await receiver.waitPublisher('copy');
    assert.deepEqual(picture((await probe(receiver.url('copy'))).streams), ['aac', 'h264']);
    from = provider.entries.length;
    await provider.call('output_add', { input_id: 'copied', output: 2, url: nowhere });
    const { error, output } = await sent('copied', 'error', from);

    assert.deepEqual([output, error], [2, 'connection refused']);
    const copies = processes('/live/copied').filter(([, words]) => words.startsWith('ffmpeg'));

    assert.ok(copies.length >= 1);
    assert.deepEqual(processes('nobody-may-read-this'), []);
    assert.doesNotMatch(provider.logs(), /nobody-may-read-this/);
    assert.equal(
      (await provider.call('output_remove', { input_id: 'copied', output: 2 })).outcome,
      'ok',
    );
    assert.equal(
      (await provider.call('output_remove', { input_id: 'copied', output: 1 })).outcome,
      'ok',
    );
    await receiver.waitPublisher('copy', false);
    assert.deepEqual(processes('rtmp://127.0.0.1:9/'), []);
    await over('copied', publisher);
  });

  test('output: never to a port of our own, whatever it is called', async () => {
    const { address, publisher } = await live('circular');
    const { port } = new URL(address.replace(/^rtmp/, 'http'));

    for (const [index, host] of ['127.0.0.1', 'localhost', '0x7f.1'].entries()) {
      const url = `rtmp://${host}:${port}/live/circular2`;
      const from = provider.entries.length;

      await provider.call('output_add', { input_id: 'circular', output: index + 1, url });
      assert.equal((await sent('circular', 'error', from)).error, 'destination not allowed', host);
    }
    await over('circular', publisher);
  });

  test('output: the destination goes away and comes back', async () => {
    const { publisher } = await live('tenacious');
    const other = await Nginx.start();
    let from = provider.entries.length;

    await provider.call('output_add', {
      input_id: 'tenacious',
      output: 7,
      url: other.url('copy'),
    });
    await sent('tenacious', 'active', from);
    from = provider.entries.length;
    await other.pause();
    assert.equal((await sent('tenacious', 'error', from)).output, 7);
    from = provider.entries.length;
    await other.resume();
    await sent('tenacious', 'active', from);
    await other.waitPublisher('copy');
    assert.equal(publisher.connected, true, 'the source was not touched');
    from = provider.entries.length;
    await publisher.kill();
    await sent('tenacious', 'idle', from);
    await over('tenacious');
    await other.stop();
  });

  test('output: what is not a destination is refused', async () => {
    await provider.create('picky');
    for (const url of [
      'http://example.com/live/key',
      'rtmp://example.com/live',
      'rtmp:///live/key',
      'rtmp://user:password@example.com/live/key',
      'rtmp://example.com/live/key\nrtmp_live=any',
    ]) {
      const added = await provider.call('output_add', { input_id: 'picky', output: 1, url });

      assert.equal(added.outcome, 'refused', url);
    }
    await over('picky');
  });

  test('no key is logged, or in the arguments of any process', async () => {
    const { address, publisher } = await live('silent');
    const key = keyOf(address);

    assert.match(key, /^[0-9a-f]{32}$/);
    await refused(address);
    assert.doesNotMatch(provider.logs(), new RegExp(key));
    assert.deepEqual(
      processes(key).filter(([pid]) => pid !== publisher.pid),
      [],
      'only the publisher itself',
    );
    await over('silent', publisher);
  });
});

describe('what dies', { concurrency: false }, () => {
  test('the worker of the media server: the publisher is lost, and may come back', async () => {
    const { address, publisher } = await live('worker');
    const from = provider.entries.length;
    const worker = Number((await provider.stat()).match(/<pid>(\d+)</)[1]);

    process.kill(worker, 'SIGKILL');
    await seen('worker', 'lost', from);
    await publisher.waitEvent('exit', publishingMs);
    const again = provider.entries.length;
    const second = await publish(address);

    await seen('worker', 'live', again);
    await over('worker', second);
  });

  test('the provider: the stream goes on, nobody new gets in, then it is adopted', async () => {
    const { address, publisher } = await live('adopted');
    const stranger = await live('stranger');
    const waiting = await provider.create('waiting');

    await provider.call('output_add', {
      input_id: 'adopted',
      output: 1,
      url: receiver.url('adopted'),
    });
    await receiver.waitPublisher('adopted');
    await provider.endStage('SIGKILL');
    await receiver.waitPublisher('adopted', false);
    await refused(waiting.address);
    assert.equal(publisher.connected, true);
    assert.equal(stranger.publisher.connected, true);
    const from = provider.entries.length;

    await provider.startStage();
    provider.tell({ type: 'provider.adopt', input_id: 'adopted', ingest: address });
    provider.tell({ type: 'provider.adopt', input_id: 'waiting', ingest: waiting.address });
    await seen('adopted', 'live', from);
    await seen('waiting', 'idle', from);
    assert.equal(stranger.publisher.connected, true, 'not before all are adopted');
    provider.settled();
    await stranger.publisher.waitEvent('exit', publishingMs);
    assert.equal(publisher.connected, true);
    await refused(stranger.address);
    const late = await publish(waiting.address);

    await over('adopted', publisher);
    await over('waiting', late);
  });

  test('the media server: calls say so; its orphans do not keep the ports', async () => {
    const { address, publisher } = await live('orphan');
    const from = provider.entries.length;

    await provider.endMedia('SIGKILL');
    /* The worker lives on, as yet: nobody has told it. */
    assert.equal(processes('nginx: worker process').length > 0, true);
    await provider.startMedia();
    await publisher.waitEvent('exit', publishingMs);
    await seen('orphan', 'lost', from);
    const second = await publish(address);

    await provider.endMedia('SIGTERM');
    const answer = await provider.call('describe', { input_id: 'orphan' });

    assert.equal(answer.outcome, 'retry');
    assert.match(answer.detail, /^the media server does not answer on 127\.0\.0\.1:\d+$/);
    assert.equal((await provider.call('create', { stream_id: 'x' })).outcome, 'retry');
    await provider.startMedia();
    await second.waitEvent('exit', publishingMs);
    await over('orphan');
  });
});
