"use strict";
// What the page holds for its scripts, and the drawing that it waits for.
const held = (id) => JSON.parse(document.getElementById(id).textContent);
const inflated = async (id) => {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, (it) => it.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};
const drawing = [];
