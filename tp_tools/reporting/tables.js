"use strict";
// Tables can be sorted by a click on a heading, and long ones filtered.
(() => {
  const LONG = 9; // rows from which on a table has a filter

  const sorted = (rows, column, isNumber, sign) => {
    const value = (row) => row.cells[column].dataset.value;
    const compare = isNumber
      ? (a, b) => Number(a) - Number(b)
      : (a, b) => a.localeCompare(b, "en", { numeric: true });
    return [...rows].sort((a, b) => {
      const [left, right] = [value(a), value(b)];
      // what is not known comes last, whichever way the others are sorted
      if (left === undefined || right === undefined) {
        return (left === undefined) - (right === undefined);
      }
      return sign * compare(left, right);
    });
  };

  const sortable = (table) => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const isNumber = head.classList.contains("number");
      // numbers: largest first; text: a to z; then the other way, then as it was
      const turns = isNumber ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.textContent = head.textContent;
      button.title = "Sort";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const turn = turns[(turns.indexOf(head.ariaSort ?? "none") + 1) % turns.length];
        for (const it of heads) it.ariaSort = null;
        head.ariaSort = turn === "none" ? null : turn;
        const sign = turn === "descending" ? -1 : 1;
        body.append(...(turn === "none" ? original : sorted(original, column, isNumber, sign)));
      });
    });
  };

  const filterable = (table) => {
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => [...row.cells]
      .map((cell) => `${cell.textContent} ${cell.dataset.value ?? ""}`).join("\n").toLowerCase());
    const label = document.createElement("label");
    label.className = "filter";
    const input = document.createElement("input");
    input.type = "search";
    input.setAttribute("autocomplete", "off");
    input.title = "Rows that hold this text; with commas, all of several";
    const said = document.createElement("output");
    label.append("Filter ", input, said);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(",").map((it) => it.trim()).filter(Boolean);
      let shown = 0;
      rows.forEach((row, number) => {
        row.hidden = !words.every((word) => texts[number].includes(word));
        shown += !row.hidden;
      });
      label.classList.toggle("on", words.length > 0);
      said.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
    table.parentElement.before(label);
  };

  for (const table of document.querySelectorAll("figure table")) {
    if (!table.tHead || table.tBodies[0].rows.length < 2) continue;
    sortable(table);
    if (table.tBodies[0].rows.length >= LONG) filterable(table);
  }
})();
