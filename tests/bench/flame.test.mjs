// Goal: samples become the right tree, and the tree an SVG that any reader takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold, svg } from './flame.mjs';

/* As perf script -F pid,ip,sym writes it: the innermost call first. */
const samples = `11 
\t    5581 inner
\t    5582 outer
\t    5583 main

11/12 
\t    5582 outer
\t    5583 main

12 
\t    77aa operator<(a, b) [clone]
\t    77ab main
`;
const tree = async () => fold(samples.split('\n'));
const names = (node) => [...node.children.keys()];

test('stacks are folded by process, the outermost call first', async () => {
  const roots = await tree();
  const main = roots.get(11).children.get('main');

  assert.deepEqual([...roots.keys()], [11, 12]);
  assert.equal(roots.get(11).count, 2);
  assert.deepEqual(names(main), ['outer']);
  assert.equal(main.children.get('outer').count, 2);
  assert.equal(main.children.get('outer').children.get('inner').count, 1);
});

test('the last sample counts without an empty line behind it', async () => {
  assert.equal((await fold(samples.trimEnd().split('\n'))).get(12).count, 1);
});

test('an SVG has a box for each call, wide as its share, and nothing that breaks XML', async () => {
  const roots = await tree();
  const text = svg(roots.get(11), 'B1 registry');

  assert.equal(text.match(/<g>/g).length, 4);
  assert.match(text, /outer: 2 samples, 100\.00 %<\/title><rect x="0\.0" [^>]*width="1200\.0"/);
  assert.match(text, /inner: 1 samples, 50\.00 %<\/title><rect x="0\.0" [^>]*width="600\.0"/);
  assert.match(svg(roots.get(12), 'a'), /<title>operator&lt;\(a, b\) \[clone\]: 1 samples/);
});

test('no sample at all is an empty picture', () => {
  assert.match(svg({ name: 'idle', count: 0, children: new Map() }, 'idle'), /idle: 0 samples/);
});
