// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";
(() => {
  const themes = [...document.querySelectorAll("input[name=theme]")];
  const remember = (name) => {
    try { localStorage.setItem("theme", name); } catch { /* a file may have no storage */ }
  };
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch { /* likewise */ }
  for (const theme of themes) {
    theme.checked = theme.value === (kept ?? "auto");
    theme.addEventListener("change", () => remember(theme.value));
  }
  if (!themes.some((theme) => theme.checked)) themes[0].checked = true;

  const compare = new Intl.Collator("en", { numeric: true, sensitivity: "base" }).compare;
  for (const table of document.querySelectorAll("table[data-noun]")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const numeric = heads.map((head) => head.classList.contains("number"));
    // Read once: asking a cell for its text is what takes time.
    const texts = rows.map((row) => row.textContent.toLowerCase() + " " +
      [...row.cells].map((cell) => cell.textContent.toLowerCase()).join(" "));
    const keys = rows.map((row) => [...row.cells].map((cell, index) => {
      const key = cell.dataset.sort ?? cell.textContent;
      return numeric[index] ? Number(key.replaceAll(",", "")) || 0 : key;
    }));

    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = `Search ${table.dataset.noun}`;
    input.setAttribute("aria-label", input.placeholder);
    const output = document.createElement("output");
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.append(input, output);
    table.parentElement.before(tools);
    const count = (shown) => {
      const all = rows.length.toLocaleString("en");
      output.textContent = shown === rows.length ? "" : `${shown.toLocaleString("en")} of ${all} ${table.dataset.noun}`;
    };
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      count(shown);
    });

    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const order = rows.map((_, index) => index).sort((one, other) => {
          const [a, b] = [keys[one][column], keys[other][column]];
          const found = typeof a === "number" ? a - b : compare(a, b);
          return (down ? -found : found) || one - other;
        });
        body.append(...order.map((index) => rows[index]));
      });
    });
  }

  // What is folded is printed as well.
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });
})();
