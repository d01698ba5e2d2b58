// Runs in the page before the scripts of the Perfetto UI.
(() => {
  'use strict';
  const {trace, commands} = document.currentScript.dataset;

  // The UI removes the trace's URL from its own once the trace is loaded, so that a reload would
  // show no trace. The URL is put back on each load.
  const address = encodeURIComponent(new URL(trace, location.href));
  const start = `#!/?url=${address}&startupCommands=${encodeURIComponent(commands)}`;
  history.replaceState(null, '', start);

  // The UI keeps a copy of each trace in the browser's storage, by origin. Each run has another
  // port and so another origin: copies would pile up that no page reads or removes.
  Object.defineProperty(window, 'caches', {value: undefined});

  // The server counts the page as open while this connection is, and stops soon after it closes.
  new EventSource('alive');

  // Up to v54 the UI's command that pins tracks also pins the groups around them, as empty tracks.
  const timer = setInterval(() => {
    const app = window.app;
    if (!app?.trace || app.isLoadingTrace) return;
    clearInterval(timer);
    const {workspace} = app.trace;
    workspace.flatTracks.filter((track) => track.headless)
      .forEach((track) => workspace.unpinTrack(track));
  }, 100);
})();
