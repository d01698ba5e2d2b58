// Runs in the page before the scripts of the Perfetto UI.
(() => {
  'use strict';
  const NARROW = 900;  // pixels below which the sidebar leaves too little for the timeline
  const {trace, commands, at, report} = document.currentScript.dataset;

  // Commands with a member `later` take too long to run on opening: each gets a button.
  const all = JSON.parse(commands);
  const later = all.filter((command) => command.later);
  const startup = JSON.stringify(all.filter((command) => !command.later));

  // The UI removes the trace's URL from its own once the trace is loaded, so that a reload would
  // show no trace. The URL is put back on each load.
  const address = encodeURIComponent(new URL(trace, location.href));
  const from = trace ? `url=${address}&` : '';  // without one, a native shell holds the trace
  const start = `#!/?${from}startupCommands=${encodeURIComponent(startup)}`;
  history.replaceState(null, '', start);

  // The UI keeps a copy of each trace in the browser's storage, by origin. Each run has another
  // port and so another origin: copies would pile up that no page reads or removes.
  Object.defineProperty(window, 'caches', {value: undefined});

  // In a frame of another site, as in a notebook, a browser may forbid storage, without which the UI
  // does not start: then it is in memory.
  for (const name of ['localStorage', 'sessionStorage']) {
    try {
      window[name];
    } catch {
      Object.defineProperty(window, name, {value: memory()});
    }
  }

  // Settings begin anew likewise: times in ms from the start of the trace, as --at takes them.
  if (!localStorage.getItem('perfettoSettings')) {
    const theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    const settings = {timestampFormat: 'milliseconds', theme};
    localStorage.setItem('perfettoSettings', JSON.stringify(settings));
  }

  // The server counts the page as open while this connection is, and stops soon after it closes.
  new EventSource('alive');

  // A link to the report stands in the UI's status bar, and opens beside the timeline.
  if (report) addEventListener('load', () => {
    inStatusBar('a', {href: report, target: '_blank', textContent: 'Report', id: 'tp-report'});
  });

  // Up to v54 the UI's command that pins tracks also pins the groups around them, as empty tracks.
  const timer = setInterval(() => {
    const app = window.app;
    if (!app?.trace || app.isLoadingTrace) return;
    clearInterval(timer);
    const {workspace} = app.trace;
    workspace.flatTracks.filter((track) => track.headless)
      .forEach((track) => workspace.unpinTrack(track));
    orderRanks(workspace);
    if (innerWidth < NARROW) app.commands.runCommand('dev.perfetto.ToggleLeftSidebar');
    if (at) goTo(app.trace, JSON.parse(at));
    later.forEach((command) => offer(app, command));
  }, 100);

  // Adds an element at the right end of the UI's status bar, left of those that are there.
  function inStatusBar(kind, properties) {
    let bar = document.getElementById('tp-bar');
    if (!bar) {
      bar = document.createElement('div');
      bar.id = 'tp-bar';
      bar.style.cssText = 'position:fixed;right:12px;bottom:0;z-index:10;display:flex;' +
        'flex-direction:row-reverse;gap:6px;';
      document.body.append(bar);
    }
    const element = Object.assign(document.createElement(kind), properties);
    element.style.cssText = 'padding:2px 8px;border:0;border-radius:4px 4px 0 0;cursor:pointer;' +
      'font:14px sans-serif;color:#fff;background:#1a5fb4;';
    bar.append(element);
    return element;
  }

  // A button that runs a command once.
  function offer(app, {id, args, later: textContent}) {
    const button = inStatusBar('button', {textContent, id: `tp-${textContent.toLowerCase()}`});
    button.addEventListener('click', () => {
      button.remove();
      app.commands.runCommand(id, ...args);
    });
  }

  function memory() {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, String(value)),
      removeItem: (key) => void kept.delete(key),
      clear: () => kept.clear(),
      key: (index) => [...kept.keys()][index] ?? null,
      get length() { return kept.size; },
    };
  }

  // Up to v52 the UI sorts processes by how many slices they have: those of ranks go by rank.
  function orderRanks(workspace) {
    const rankOf = (track) => Number(/^rank (\d+) /.exec(track.name)?.[1] ?? -1);
    workspace.children.filter((track) => rankOf(track) >= 0)
      .sort((a, b) => rankOf(a) - rankOf(b))
      .forEach((track) => workspace.addChildLast(track));
  }

  // Shows and selects a slice, or marks a time (ns after the trace's start) and shows what is near.
  function goTo(trace, {slice, time, around}) {
    if (slice !== undefined) {
      trace.selection.selectSqlEvent('slice', slice, {scrollToSelection: true});
      return;
    }
    const moment = trace.traceInfo.start + BigInt(time);
    trace.timeline.setViewportTime(moment - BigInt(around), moment + BigInt(around));
    trace.notes.addNote({timestamp: moment});
  }
})();
