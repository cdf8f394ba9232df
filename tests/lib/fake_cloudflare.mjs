// A stateful stand-in for the vendor's Stream API: everything weir uses of it, with faults on demand.
//
//   const vendor = await FakeCloudflare.start({ ...options });   // all options have defaults
//     accountId, token      what requests must carry, else 404 and 403
//     honoursKeys           true: the same Idempotency-Key gives the same input again (409 once it is
//                           deleted); false: every create makes another input
//     customerHost          base of playback, previews and /lifecycle; default: this server itself
//                           (https://customer-x.example makes /lifecycle unreachable)
//     ingestUrl             default rtmps://live.cloudflare.com:443/live/
//     keyMark               what stream keys and passphrases begin with (KEY)
//     pageMax               inputs in one answer of the list (1000)
//     pagesBefore           false: the list knows no `before` and always answers its first page
//     statusForm            'object' (default) or 'string': both occur
//     outputStatus          true: outputs say how they are; false (default, as in the schema): they do not
//     tls                   true: https, with a certificate of its own; vendor.caFile names it
//     host                  '127.0.0.1'
//   await vendor.close();
//
// For weir.conf:  vendor.apiBase -> cloudflare.api_base, vendor.accountId, vendor.token.
// vendor.config() is { cloudflare: {...} } with all of it (the token in a file), for lib/weir.mjs.
//
// The world (all synchronous; @input is a uid, or what vendor.inputs holds):
//   vendor.inputs           Map uid -> input {uid, meta, enabled, state, outputs: Map, deleted: false, ...}
//   vendor.live             array of the inputs that exist;  vendor.deleted: array of uids, in order
//   vendor.inputOf(streamId)  the newest input made for that operation (meta.op), or undefined
//   vendor.addInput({meta, created, state})   one that nobody asked for: a foreign or a leaked one
//   vendor.removeInput(input)        deleted behind our back
//   vendor.connect(input)            a broadcast begins: state connected, a live-inprogress video, /lifecycle live
//   vendor.setState(input, word)     reconnecting, client_disconnect, failed_to_connect, null, ...
//   vendor.disconnect(input, {recording: 'ready' | 'late' | 'none'})   client_disconnect; the video becomes
//                           ready at once, or is not listed until vendor.finishRecording(input), or never
//   vendor.setOutput(input, n, {state, lastError})   of the n-th output, from 0; needs outputStatus
//   vendor.storage = {used, limit}   minutes
//
// What was asked: vendor is a Recorder (lib/recorder.mjs); entries {call, method, path, query, key, body,
// status, fault}, recorded when answered or dropped; `call` is one of: create get list update delete
// outputs output_add output_update output_remove videos video_delete account_videos storage lifecycle other.
//   vendor.calls('create')           entries so far;   await vendor.waitCall('delete', ms, {from, path: uid})
//
// Faults: vendor.fault(call, {...}) for the next requests of that call ('any': of all); later ones queue.
//   times: 1 (Infinity: until vendor.mend())    match: (request) => bool, e.g. ({body}) => ...
//   status: 500, code, message, headers: {'retry-after': '7'}    refused without effect
//   effect: true            with status: it takes effect all the same
//   lost: 'before'|'after'  the connection is cut without (before) or with (after) an effect
//   delayMs                 before it is handled;   hang: true   never answered, no effect
//   hang: 'after'           takes effect, never answered
//   body: '<html>'          answered 200 (or status) after the effect, with this instead of the answer
//   change: (answer) => {}  may change the parsed answer, or return another
//   drip: ms                the answer comes byte by byte, one every so many ms
//   length: n               the answer's white space is n bytes longer
// vendor.mend(): no more faults.   vendor.hold(call) -> release(): requests wait, before any effect, until then.
//
// Webhooks: await vendor.webhook(url, secret, input, 'live_input.connected', {updatedAt, error, body}) -> status.
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call as httpCall } from './raw_http.mjs';
import { Recorder, slack } from './recorder.mjs';

const newUid = () => randomBytes(16).toString('hex');
const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const notFound = (what) => new Refusal(404, 10003, `${what} not found`);

/* Method and path below /accounts/{a}/stream, and what handles it: a method of that name. */
const routes = [
  ['POST', /^\/live_inputs$/, 'create'],
  ['GET', /^\/live_inputs$/, 'list'],
  ['GET', /^\/live_inputs\/(\w+)$/, 'get'],
  ['PUT', /^\/live_inputs\/(\w+)$/, 'update'],
  ['DELETE', /^\/live_inputs\/(\w+)$/, 'delete'],
  ['GET', /^\/live_inputs\/(\w+)\/outputs$/, 'outputs'],
  ['POST', /^\/live_inputs\/(\w+)\/outputs$/, 'output_add'],
  ['PUT', /^\/live_inputs\/(\w+)\/outputs\/(\w+)$/, 'output_update'],
  ['DELETE', /^\/live_inputs\/(\w+)\/outputs\/(\w+)$/, 'output_remove'],
  ['GET', /^\/live_inputs\/(\w+)\/videos$/, 'videos'],
  ['GET', /^\/storage-usage$/, 'storage'],
  ['GET', /^$/, 'account_videos'],
  ['DELETE', /^\/(\w+)$/, 'video_delete'],
];

function certificate(dir, host) {
  const key = join(dir, 'key.pem');
  const caFile = join(dir, 'cert.pem');

  execFileSync(
    'openssl',
    // prettier-ignore
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
     '-subj', '/CN=fake', '-addext', `subjectAltName=IP:${host}`, '-keyout', key, '-out', caFile],
    { stdio: 'ignore' },
  );
  return { caFile, key: readFileSync(key), cert: readFileSync(caFile) };
}

export class FakeCloudflare extends Recorder {
  #server;
  #sockets = new Set();
  #faults = new Map();
  #held = new Map();
  #keys = new Map(); /* Idempotency-Key -> uid */
  #created = 0;

  static async start(options = {}) {
    const self = new FakeCloudflare('vendor');

    Object.assign(
      self,
      {
        accountId: '023e105f4ecef8ad9ca31a8372d0c353',
        token: 'test-token',
        host: '127.0.0.1',
        honoursKeys: true,
        ingestUrl: 'rtmps://live.cloudflare.com:443/live/',
        keyMark: 'KEY',
        pageMax: 1000,
        pagesBefore: true,
        statusForm: 'object',
        outputStatus: false,
        tls: false,
        inputs: new Map(),
        videos: new Map(),
        deleted: [],
        storage: { used: 0, limit: 1000 },
      },
      options,
    );
    self.dir = mkdtempSync(join(tmpdir(), 'weir-vendor-'));
    const handle = (request, response) => void self.#serve(request, response);

    if (self.tls) {
      const { caFile, ...secrets } = certificate(self.dir, self.host);

      self.caFile = caFile;
      self.#server = createTlsServer(secrets, handle);
    } else {
      self.#server = createServer(handle);
    }
    self.#server.on('connection', (socket) => {
      self.#sockets.add(socket);
      socket.on('close', () => self.#sockets.delete(socket));
    });
    await new Promise((resolve) => {
      self.#server.listen(0, self.host, resolve);
    });
    self.port = self.#server.address().port;
    self.origin = `http${self.tls ? 's' : ''}://${self.host}:${self.port}`;
    self.apiBase = `${self.origin}/client/v4`;
    self.customerHost ??= self.origin;
    return self;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Sections for weir.conf. */
  config() {
    const file = join(this.dir, 'token');

    writeFileSync(file, `${this.token}\n`, { mode: 0o600 });
    return {
      cloudflare: {
        api_base: this.apiBase,
        account_id: this.accountId,
        api_token_file: file,
        ...(this.tls ? { ca_file: this.caFile } : {}),
      },
    };
  }

  /* ---- the world ---- */

  get live() {
    return [...this.inputs.values()];
  }

  inputOf(streamId) {
    return this.live.filter((input) => input.meta?.op === streamId).at(-1);
  }

  #input(input) {
    const found = this.inputs.get(input?.uid ?? input);

    if (!found) throw notFound('live input');
    return found;
  }

  addInput({ meta = {}, created, state = null, ...rest } = {}) {
    /* Distinct times: the list is ordered by them. */
    const at = new Date(Date.now() + this.#created++).toISOString().replace('Z', '001Z');
    const input = {
      uid: newUid(),
      created: created ?? at,
      modified: at,
      meta,
      enabled: true,
      state,
      history: [],
      outputs: new Map(),
      deleteRecordingAfterDays: null,
      preferLowLatency: false,
      recording: {},
      ...rest,
    };

    this.inputs.set(input.uid, input);
    return input;
  }

  removeInput(input) {
    const { uid } = this.#input(input);

    this.inputs.get(uid).deleted = true;
    this.inputs.delete(uid);
    this.deleted.push(uid);
  }

  setState(input, state) {
    const found = this.#input(input);

    if (found.state) found.history.push({ state: found.state });
    found.state = state;
  }

  connect(input) {
    const { uid, defaultCreator } = this.#input(input);
    const video = { uid: newUid(), input: uid, creator: defaultCreator, state: 'live-inprogress' };

    this.setState(uid, 'connected');
    this.videos.set(video.uid, { ...video, listed: true });
  }

  disconnect(input, { recording = 'ready' } = {}) {
    const found = this.#input(input);

    this.setState(found, 'client_disconnect');
    for (const video of this.#videosOf(found.uid)) {
      if (video.state !== 'live-inprogress') continue;
      if (recording === 'none') this.videos.delete(video.uid);
      Object.assign(video, { state: 'ready', listed: recording !== 'late' });
    }
  }

  finishRecording(input) {
    for (const video of this.#videosOf(input.uid ?? input)) video.listed = true;
  }

  setOutput(input, index, status) {
    [...this.#input(input).outputs.values()][index].status = status;
  }

  #videosOf(uid) {
    return [...this.videos.values()].filter((video) => video.input === uid);
  }

  /* ---- asking the fake ---- */

  calls(call) {
    return this.entries.filter((entry) => entry.call === call);
  }

  waitCall(call, timeoutMs = 5000, { from = 0, path = '' } = {}) {
    return this.waitFor((e) => e.call === call && e.path.includes(path), timeoutMs * slack, {
      from,
      what: `${call} ${path}`,
    });
  }

  fault(call, fault) {
    const queue = this.#faults.get(call) ?? [];

    queue.push({ times: 1, ...fault });
    this.#faults.set(call, queue);
  }

  mend() {
    this.#faults.clear();
  }

  hold(call) {
    let release;
    const promise = new Promise((resolve) => {
      release = resolve;
    });

    this.#held.set(call, promise);
    return () => {
      this.#held.delete(call);
      release();
    };
  }

  #takeFault(request) {
    for (const name of [request.call, 'any']) {
      const queue = this.#faults.get(name) ?? [];
      const fault = queue.find((f) => !f.match || f.match(request));

      if (!fault) continue;
      if (--fault.times <= 0) queue.splice(queue.indexOf(fault), 1);
      return fault;
    }
    return undefined;
  }

  async webhook(url, secret, input, eventType, { updatedAt, error, body } = {}) {
    const data = {
      notification_name: 'Stream Live Input',
      input_id: input.uid ?? input,
      event_type: eventType,
      updated_at: updatedAt ?? new Date().toISOString(),
      ...(error ? { live_input_errored: { error, video_codec: '', audio_codec: '' } } : {}),
    };
    const answer = await httpCall('POST', url, {
      body: body ?? { name: 'weir', text: 'Notification type: Stream Live Input', data, ts: 1 },
      headers: secret === undefined ? {} : { 'cf-webhook-auth': secret },
    });

    return answer.status;
  }

  /* ---- what objects look like ---- */

  #bare({ uid, created, modified, meta, enabled, deleteRecordingAfterDays }) {
    return { uid, created, modified, meta, enabled, deleteRecordingAfterDays };
  }

  #status({ state, history }) {
    if (this.statusForm === 'string' || (state === null && history.length === 0)) return state;
    return { current: { state, reason: 'as told', ingestProtocol: 'rtmp' }, history };
  }

  #full(input) {
    const { uid, recording, preferLowLatency } = input;
    const base = this.customerHost;
    const key = `${this.keyMark}${uid}`;

    return {
      ...this.#bare(input),
      status: this.#status(input),
      recording,
      preferLowLatency,
      rtmps: { url: this.ingestUrl, streamKey: key },
      rtmpsPlayback: { url: this.ingestUrl, streamKey: `play${key}` },
      srt: { url: 'srt://live.cloudflare.com:778', streamId: uid, passphrase: `pass${key}` },
      srtPlayback: { url: 'srt://live.cloudflare.com:778', streamId: `play${uid}`, passphrase: key },
      webRTC: { url: `${base}/${key}/webRTC/publish` },
      webRTCPlayback: { url: `${base}/${uid}/webRTC/play` },
      playback: this.#playback(uid),
    };
  }

  #playback(uid) {
    const manifest = `${this.customerHost}/${uid}/manifest/video`;

    return { hls: `${manifest}.m3u8`, dash: `${manifest}.mpd` };
  }

  #output({ uid, url, streamKey, enabled, status }) {
    return { uid, url, streamKey, enabled, ...(this.outputStatus && status ? this.#outputStatus(status) : {}) };
  }

  #outputStatus({ state, lastError }) {
    return { status: { current: { state } }, ...(lastError ? { lastError } : {}) };
  }

  #video({ uid, input, creator, state }) {
    return {
      uid,
      liveInput: input,
      ...(creator ? { creator } : {}),
      duration: -1,
      readyToStream: state === 'ready',
      status: { state },
      playback: this.#playback(uid),
    };
  }

  /* ---- calls: each takes effect and returns the result ---- */

  create({ body, key }) {
    const known = this.honoursKeys && key ? this.#keys.get(key) : undefined;

    if (body?.recording?.mode && !['off', 'automatic'].includes(body.recording.mode))
      throw new Refusal(400, 10005, 'recording mode is not valid');
    if (known && !this.inputs.has(known))
      throw new Refusal(409, 10009, 'Idempotency-Key belongs to a deleted input');
    if (known) return this.#full(this.#input(known));
    const { meta, defaultCreator, deleteRecordingAfterDays = null, recording = {} } = body ?? {};
    const input = this.addInput({ meta, defaultCreator, deleteRecordingAfterDays, recording });

    if (key) this.#keys.set(key, input.uid);
    return this.#full(input);
  }

  list({ query }) {
    const before = this.pagesBefore ? query.get('before') : null;
    const all = this.live
      .filter((input) => !before || input.created < before)
      .sort((a, b) => (a.created < b.created ? 1 : -1));
    const liveInputs = all.slice(0, this.pageMax).map((input) => this.#bare(input));

    return { liveInputs, range: liveInputs.length, total: this.inputs.size };
  }

  get({ ids }) {
    return this.#full(this.#input(ids[0]));
  }

  update({ ids, body }) {
    const input = this.#input(ids[0]);

    Object.assign(input, body, { modified: new Date().toISOString() });
    if (body.enabled === false && input.state === 'connected') this.disconnect(input);
    return this.#full(input);
  }

  delete({ ids }) {
    this.removeInput(ids[0]);
    return undefined;
  }

  outputs({ ids }) {
    return [...this.#input(ids[0]).outputs.values()].map((output) => this.#output(output));
  }

  output_add({ ids, body }) {
    const { outputs } = this.#input(ids[0]);

    if (!body?.url || !body.streamKey) throw new Refusal(400, 10005, 'url and streamKey are required');
    if (body.url.includes('FAIL')) throw new Refusal(400, 10005, 'output url is not valid');
    const output = { uid: newUid(), enabled: true, ...body };

    outputs.set(output.uid, output);
    return this.#output(output);
  }

  output_update({ ids, body }) {
    const output = this.#input(ids[0]).outputs.get(ids[1]);

    if (!output) throw notFound('output');
    output.enabled = body.enabled;
    return this.#output(output);
  }

  output_remove({ ids }) {
    if (!this.#input(ids[0]).outputs.delete(ids[1])) throw notFound('output');
    return undefined;
  }

  /* Videos outlive their input, but can then no longer be listed through it. */
  input_videos({ ids }) {
    this.#input(ids[0]);
    return this.#videosOf(ids[0]).filter((v) => v.listed).map((video) => this.#video(video));
  }

  account_videos({ query }) {
    return [...this.videos.values()]
      .filter((v) => v.listed && (!query.get('status') || v.state === query.get('status')))
      .filter((v) => !query.get('creator') || v.creator === query.get('creator'))
      .map((video) => this.#video(video));
  }

  video_delete({ ids }) {
    if (!this.videos.delete(ids[0])) throw notFound('video');
    return undefined;
  }

  storage_usage() {
    const { used, limit } = this.storage;

    return { totalStorageMinutes: used, totalStorageMinutesLimit: limit, videoCount: this.videos.size };
  }

  /* ---- serving ---- */

  #parse(request, text) {
    const url = new URL(request.url, this.origin);
    const below = url.pathname.replace(/^\/client\/v4/, '');
    const account = below.match(/^\/accounts\/(\w+)\/stream(.*)$/);
    const lifecycle = request.method === 'GET' && url.pathname.match(/^\/(\w+)\/lifecycle$/);
    const parsed = { method: request.method, path: url.pathname, query: url.searchParams, ids: [] };
    let body;

    try {
      body = text === '' ? undefined : JSON.parse(text);
    } catch {
      body = null;
    }
    Object.assign(parsed, { body, key: request.headers['idempotency-key'], call: 'other' });
    parsed.authorised = request.headers.authorization === `Bearer ${this.token}`;
    parsed.account = account?.[1];
    if (lifecycle) return { ...parsed, call: 'lifecycle', ids: [lifecycle[1]] };
    const route = account && routes.find(([m, re]) => m === request.method && re.test(account[2]));

    return route
      ? { ...parsed, call: route[2], ids: account[2].match(route[1]).slice(1) }
      : parsed;
  }

  #lifecycle(uid) {
    const video = this.#videosOf(uid).find(({ state }) => state === 'live-inprogress');
    const live = Boolean(video) && this.inputs.get(uid)?.state === 'connected';

    return { isInput: this.inputs.has(uid), videoUID: live ? video.uid : null, live };
  }

  /* What is answered: {status, answer}; this is where it takes effect. */
  #perform(request) {
    if (request.call === 'lifecycle') return { status: 200, answer: this.#lifecycle(request.ids[0]) };
    try {
      if (!request.authorised) throw new Refusal(403, 10000, 'Authentication error');
      if (request.account !== this.accountId || request.call === 'other')
        throw new Refusal(404, 7003, 'No route for the URI');
      if (request.body === null) throw new Refusal(400, 10005, 'the body is not JSON');
      const handler = { storage: 'storage_usage', videos: 'input_videos' }[request.call] ?? request.call;
      const result = this[handler](request) ?? null;

      return { status: 200, answer: { success: true, errors: [], messages: [], result } };
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      return { status: refusal.status, answer: this.#failure(refusal) };
    }
  }

  #failure({ code = 10001, message = 'as told' }) {
    return { success: false, errors: [{ code, message }], messages: [], result: null };
  }

  async #serve(request, response) {
    let text = '';

    request.setEncoding('utf8');
    for await (const chunk of request) text += chunk;
    const parsed = this.#parse(request, text);
    const fault = this.#takeFault(parsed) ?? {};

    await (this.#held.get(parsed.call) ?? this.#held.get('any'));
    if (fault.delayMs) await pause(fault.delayMs);
    const record = (status) => {
      const { method, path, query, key, body, call } = parsed;
      const { times: _times, ...said } = fault;

      this.record({
        ...{ call, method, path, query: query.toString(), key, body, status },
        ...(Object.keys(said).length > 0 ? { fault: said } : {}),
      });
    };

    if (fault.hang === true || fault.lost === 'before') {
      if (fault.lost) request.socket.destroy();
      return record(0);
    }
    let outcome = fault.status && !fault.effect && !fault.body ? undefined : this.#perform(parsed);

    if (fault.hang || fault.lost) {
      if (fault.lost) request.socket.destroy();
      return record(0);
    }
    if (fault.status) outcome = { status: fault.status, answer: this.#failure(fault) };
    if (fault.change) outcome.answer = fault.change(outcome.answer) ?? outcome.answer;
    const payload = fault.body ?? JSON.stringify(outcome.answer);

    record(outcome.status);
    if (payload) response.setHeader('content-type', 'application/json');
    response.writeHead(outcome.status, fault.headers);
    if (fault.length) response.write(' '.repeat(fault.length));
    for (const byte of fault.drip ? payload : []) {
      if (response.destroyed) return undefined;
      response.write(byte);
      await pause(fault.drip);
    }
    return response.end(fault.drip ? '' : payload);
  }

  /** A short fingerprint of the world, to compare before and after. */
  get fingerprint() {
    const state = this.live.map(({ uid, enabled, outputs }) => [uid, enabled, [...outputs.keys()]]);

    return createHash('sha256').update(JSON.stringify(state)).digest('hex').slice(0, 12);
  }
}
