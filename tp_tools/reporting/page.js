"use strict";
(() => {
  const PRINTED_WIDTH = 660; // what fits between the margins of A4 and of letter
  const CONFIG = {
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    responsive: true,
  };
  const root = document.documentElement;
  const plots = held("plots");
  const sql = held("sql");
  const keys = Object.keys(plots);

  // Colours are names in the data; the style sheet knows them for light, dark and print.
  const colored = (value, style) => {
    if (typeof value === "string") {
      const name = /^var\((--[\w-]+)\)$/.exec(value);
      return name ? style.getPropertyValue(name[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((it) => colored(it, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, colored(it, style)]));
  };

  const draw = (width) => {
    const style = getComputedStyle(root);
    return Promise.all(keys.map((key) => {
      const { data, layout } = colored(plots[key], style);
      const sized = width ? { ...layout, width, autosize: false } : { ...layout, autosize: true };
      sized.showlegend = false; // it stands above the plot as text, which wraps
      return Plotly.react(`plot-${key}`, data, sized, CONFIG);
    }));
  };

  const start = async () => {
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(await inflated("plotly"));
    document.head.append(script);
    await draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
    addEventListener("beforeprint", () => draw(PRINTED_WIDTH));
    addEventListener("afterprint", () => draw());
  };

  let opened = [];
  addEventListener("beforeprint", () => {
    root.classList.add("printing");
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const it of opened) it.open = true;
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    for (const it of opened) it.open = false;
  });

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // without permission for the clipboard, the old way
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("button[data-sql], button[data-command]");
    if (!button) return;
    await copy(button.dataset.sql ? sql[button.dataset.sql] : button.dataset.command);
    const said = button.textContent;
    if (said === "Copied") return;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = said; }, 1500);
  });

  const failed = (error) => {
    const trouble = document.getElementById("trouble");
    trouble.textContent = "This browser cannot draw the plots. All numbers stand in the tables.";
    trouble.hidden = false;
    throw error;
  };
  if (keys.length) drawing.push(start());
  Promise.all(drawing).then(() => { root.dataset.state = "drawn"; }).catch(failed);
})();
