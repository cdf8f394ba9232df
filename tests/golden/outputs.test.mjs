// Outputs of a managed stream by REST (protocol 6.6): their answers, and what the viewers are told.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as expect from '../lib/expect.mjs';
import { goLive, join, openWorld } from '../lib/managed.mjs';
import { call } from '../lib/raw_http.mjs';
import { PA, PB, busy } from '../lib/world.mjs';

let world;

before(async () => {
  world = await openWorld();
});

after(() => world?.close());

const two = { apps: { a: PA, b: PB } };

describe('outputs by REST (6.6)', busy, () => {
  const keyOf = (packageName) => world.apps[packageName].apiKey;

  async function staged(label, apps = two) {
    const s = await world.stage(label, apps);

    await goLive(s);
    s.rest = (method, { app = PA, path = '', id = s.t.id('$M1'), key, body, query = '' } = {}) => {
      /* On gateway 1: the app's socket is on gateway 2, as it happens. */
      const target = `${world.weir.httpUrl(1)}/api/streams/${id}/outputs${path}${query}`;

      return call(method, target, { token: key ?? keyOf(app), body });
    };
    s.add = (destination, app = PA) =>
      s.rest('POST', { app, body: { url: destination, packageName: app, name: 'mine' } });
    return s;
  }

  test('add, list, remove; all viewers are told', async () => {
    const s = await staged('outputs');
    const target = 'rtmp://a.rtmp.youtube.com/live2/K';

    await join(s, 'b');
    s.t.act(() => {});
    const added = await s.add(target);

    assert.deepEqual(added.json, {
      success: true,
      outputId: '1',
      message: 'Output added successfully',
    });
    assert.equal(added.status, 200);
    const outputs = [{ url: target, name: 'mine', status: 'stopped' }];

    await toViewersAnyTime(s, ['a', 'b'], { message: 'Outputs updated', outputs });
    const list = await s.rest('GET', { query: `?packageName=${PA}` });
    const { status } = list.json.outputs[0];

    assert.deepEqual([list.status, list.json.total], [200, 1]);
    assert.deepEqual(
      list.text,
      JSON.stringify({
        streamId: s.t.id('$M1'),
        outputs: [{ outputId: '1', url: target, name: 'mine', addedBy: PA, status }],
        total: 1,
        maxPerStream: 10,
        maxPerApp: 10,
      }),
    );
    const foreign = await s.rest('DELETE', { app: PB, path: '/1', query: `?packageName=${PB}` });

    assert.deepEqual([foreign.status, foreign.json.error], [403, 'NOT_AUTHORIZED']);
    const removed = await s.rest('DELETE', { path: '/1', query: `?packageName=${PA}` });

    assert.equal(removed.status, 200);
    assert.deepEqual(removed.json, { success: true, message: 'Output removed successfully' });
    await toViewersAnyTime(s, ['a', 'b'], { message: 'Outputs updated' });
    assert.equal(s.input.outputs.size, 0);
    await s.t.quiet();
  });

  const toViewersAnyTime = async (s, names, fields) => {
    for (const name of names)
      await s[name].gets(expect.managed(s.urls, '$M1', 'active', fields), { immediate: false });
  };

  test('errors', async () => {
    const s = await staged('outputerrors', two);
    const ok = 'rtmp://a.rtmp.youtube.com/live2/K';
    const is = async (answer, status, error) =>
      assert.deepEqual([(await answer).status, (await answer).json.error], [status, error]);

    await is(s.rest('POST', { body: { packageName: PA } }), 400, 'INVALID_URL');
    await is(s.add('http://x'), 400, 'INVALID_URL_FORMAT');
    const body = { url: ok, packageName: PA };

    await is(s.rest('POST', { id: 'mnosuch1', body }), 404, 'STREAM_NOT_FOUND');
    await is(s.rest('POST', { id: 'm'.repeat(40), body }), 404, 'STREAM_NOT_FOUND');
    await is(s.add(ok, PB), 403, 'NOT_A_VIEWER');
    await is(s.rest('GET', { app: PB, query: `?packageName=${PB}` }), 403, 'NOT_A_VIEWER');
    for (const path of ['/7', '/out'])
      await is(s.rest('DELETE', { path, query: `?packageName=${PA}` }), 404, 'OUTPUT_NOT_FOUND');
    assert.equal((await s.add(ok)).status, 200);
    await is(s.add(ok), 409, 'DUPLICATE_URL');
    await is(s.add('rtmp://FAIL/x'), 502, 'CLOUDFLARE_ERROR');
    for (const key of ['wrong', keyOf(PB)])
      await is(s.rest('POST', { key, body }), 401, 'UNAUTHORIZED');
    await is(s.rest('GET'), 401, 'UNAUTHORIZED');
    await is(s.rest('POST', { body: [ok] }), 400, 'INVALID_BODY');
    assert.equal((await s.rest('PUT', { body: {} })).status, 405);
    assert.equal((await s.rest('POST', { body: { url: 'x'.repeat(70000) } })).status, 413);
  });

  test('ten outputs, and one more', async () => {
    const s = await staged('outputlimit');

    for (let i = 0; i < 10; i++) assert.equal((await s.add(`rtmp://h${i}/live/K`)).status, 200);
    const one = await s.add('rtmp://h10/live/K');

    assert.equal(one.status, 409);
    assert.match(one.json.error, /^MAX_(APP_)?OUTPUTS_REACHED$/);
    assert.equal(s.input.outputs.size, 10);
  });
});
