"use strict";
// The strip: what each GPU did over the whole profile. It can be zoomed, and leads to the timeline.
(() => {
  const strip = document.getElementById("strip-rows");
  if (!strip) return;
  const { windows, span, parts, rows } = held("strip-data");
  const CLICK_PX = 4; // a pointer that moved less has clicked
  const LEAST_WINDOWS = 8; // that a screen shows
  const PRINTED_WIDTH = 560;
  const canvases = [...strip.querySelectorAll("canvas")];
  const ticks = document.getElementById("strip-ticks");
  const said = document.getElementById("strip-said");
  const command = document.getElementById("strip-command");
  const mark = document.getElementById("strip-mark");
  let cells;
  let from = 0; // what is shown, in windows
  let to = windows;

  const time = (ns, digits = 3) => {
    const [scale, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "\u00b5s"], [1, "ns"]]
      .find(([size]) => Math.abs(ns) >= size) ?? [1, "ns"];
    return `${(ns / scale).toFixed(unit === "ns" ? 0 : digits)} ${unit}`;
  };
  const at = (window) => (window * span) / windows; // ns from the start of the strip

  // The share of each part in the windows from first to last.
  const shares = (row, first, last) => {
    const sums = new Array(parts.length).fill(0);
    for (let window = first; window < last; window += 1) {
      const start = (row * windows + window) * parts.length;
      for (let part = 0; part < parts.length; part += 1) sums[part] += cells[start + part];
    }
    return sums.map((it) => it / (255 * (last - first)));
  };

  const within = (x, width) => {
    const first = Math.min(windows - 1, Math.floor(from + (x * (to - from)) / width));
    const last = Math.max(first + 1, Math.floor(from + ((x + 1) * (to - from)) / width));
    return [first, Math.min(windows, last)];
  };

  const drawRow = (canvas, row, colors, printed) => {
    const ratio = devicePixelRatio || 1;
    const width = Math.max(1, Math.round((printed ?? canvas.clientWidth) * ratio));
    const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext("2d");
    for (let x = 0; x < width; x += 1) {
      let bottom = height;
      shares(row, ...within(x, width)).forEach((share, part) => {
        if (share === 0) return;
        pen.fillStyle = colors[part];
        pen.fillRect(x, bottom - share * height, 1, share * height);
        bottom -= share * height;
      });
    }
  };

  const drawTicks = () => {
    const shown = at(to) - at(from);
    const most = Math.max(2, Math.floor(ticks.clientWidth / 110));
    const rough = shown / most;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= rough);
    const marks = [];
    // a mark whose text would be cut at the end is left out
    for (let ns = Math.ceil(at(from) / step) * step; ns <= at(to) - shown * (60 / ticks.clientWidth); ns += step) {
      const mark = document.createElement("span");
      mark.style.left = `${(100 * (ns - at(from))) / shown}%`;
      mark.textContent = ns === 0 ? "0" : time(Math.round(ns)).replace(/\.?0+ /, " ");
      marks.push(mark);
    }
    ticks.replaceChildren(...marks);
  };

  const draw = (printed) => {
    const style = getComputedStyle(document.documentElement);
    const colors = parts.map(([, color]) => style.getPropertyValue(color.slice(4, -1)).trim());
    canvases.forEach((canvas, row) => drawRow(canvas, row, colors, printed));
    drawTicks();
    for (const it of document.querySelectorAll("#strip button[data-zoom]")) {
      it.disabled = it.dataset.zoom === "in" ? to - from <= LEAST_WINDOWS : from === 0 && to === windows;
    }
  };

  const show = (first, last) => {
    const length = Math.min(windows, Math.max(LEAST_WINDOWS, last - first));
    from = Math.min(Math.max(0, first), windows - length);
    to = from + length;
    draw();
  };
  const zoom = (factor, center = 0.5) => {
    const length = (to - from) / factor;
    const middle = from + center * (to - from);
    show(middle - center * length, middle + (1 - center) * length);
  };
  const moves = {
    in: () => zoom(2),
    out: () => zoom(0.5),
    left: () => show(from - (to - from) / 2, to - (to - from) / 2),
    right: () => show(from + (to - from) / 2, to + (to - from) / 2),
    all: () => show(0, windows),
  };

  const describe = (row, x, width) => {
    const [first, last] = within(x, width);
    const here = shares(row, first, last)
      .map((share, part) => [share, parts[part][0]])
      .filter(([share]) => share > 0)
      .map(([share, name]) => `${name} ${Math.max(1, Math.round(100 * share))} %`);
    const when = `${time(at(first))} to ${time(at(last))}`;
    said.textContent = `${rows[row][0]}, ${when}: ${here.join(", ") || "before its first or after its last work"}`;
  };
  const pick = (row, x, width) => {
    const [name, file, offset] = rows[row];
    if (!file) return;
    const ns = Math.max(0, Math.round(at(from + (x * (to - from)) / width)) + offset);
    const text = `tp-tools view ${file} --at ${(ns / 1e6).toFixed(3)}ms`;
    command.querySelector("code").textContent = text;
    command.querySelector("button").dataset.command = text;
    command.querySelector("span").textContent = `${name} there:`;
    command.hidden = false;
  };

  let held_at = null; // where the pointer went down
  canvases.forEach((canvas, row) => {
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [Math.min(box.width - 1, Math.max(0, event.clientX - box.left)), box.width];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held_at = place(event)[0];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, width] = place(event);
      describe(row, x, width);
      const drags = held_at !== null && Math.abs(x - held_at) > CLICK_PX;
      mark.hidden = !drags;
      if (!drags) return;
      mark.style.left = `${canvas.offsetLeft + Math.min(x, held_at)}px`;
      mark.style.width = `${Math.abs(x - held_at)}px`;
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held_at === null) return;
      const [x, width] = place(event);
      const [left, right] = [Math.min(x, held_at), Math.max(x, held_at)];
      held_at = null;
      mark.hidden = true;
      if (right - left <= CLICK_PX) pick(row, x, width);
      else show(from + (left * (to - from)) / width, from + (right * (to - from)) / width);
    });
    canvas.addEventListener("pointercancel", () => { held_at = null; mark.hidden = true; });
    canvas.addEventListener("dblclick", moves.all);
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
      event.preventDefault();
      const [x, width] = place(event);
      zoom(event.deltaY < 0 ? 1.25 : 0.8, x / width);
    }, { passive: false });
  });
  document.getElementById("strip").addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-zoom]");
    if (button) moves[button.dataset.zoom]();
  });

  const start = async () => {
    cells = await inflated("strip-cells");
    draw();
    new ResizeObserver(() => draw()).observe(strip);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
    addEventListener("beforeprint", () => draw(PRINTED_WIDTH));
    addEventListener("afterprint", () => draw());
  };
  drawing.push(start());
})();
