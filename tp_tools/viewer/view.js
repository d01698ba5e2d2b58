// Runs in the page before the Perfetto UI itself does.
(() => {
  'use strict';
  const {trace, commands} = document.currentScript.dataset;

  // The UI forgets the trace's address once it is loaded, so that a reload would find nothing.
  const address = encodeURIComponent(new URL(trace, location.href));
  const start = `#!/?url=${address}&startupCommands=${encodeURIComponent(commands)}`;
  history.replaceState(null, '', start);

  // It keeps a copy of each trace in the browser's storage, by origin. This origin's port is never
  // the same again, so that copies would pile up that nothing reads or removes.
  Object.defineProperty(window, 'caches', {value: undefined});

  // While this connection is open, so is the page; the server stops soon after it closes.
  new EventSource('alive');

  // Up to v54 the UI's command that pins rows also pins the groups around them, as empty rows.
  const timer = setInterval(() => {
    const app = window.app;
    if (!app?.trace || app.isLoadingTrace) return;
    clearInterval(timer);
    const {workspace} = app.trace;
    workspace.flatTracks.filter((it) => it.headless).forEach((it) => workspace.unpinTrack(it));
  }, 100);
})();
