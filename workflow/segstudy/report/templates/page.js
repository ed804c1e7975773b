"use strict";
// Theme: as the system has it, or as the reader says; kept where the browser allows a page from disk to keep anything.
(() => {
  const button = document.getElementById("theme");
  const words = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" };
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = words[theme];
    button.dataset.now = theme;
  };
  let kept = null;
  try { kept = localStorage.getItem("segstudy-theme"); } catch { /* not allowed here */ }
  show(kept in words ? kept : "auto");
  button.addEventListener("click", () => {
    const names = Object.keys(words);
    const next = names[(names.indexOf(button.dataset.now) + 1) % names.length];
    show(next);
    try { localStorage.setItem("segstudy-theme", next); } catch { /* not allowed here */ }
  });
})();

// Tables: a click on a head sorts, lists and the search field filter. Values that are not there stay at the end.
for (const grid of document.querySelectorAll("div.grid")) {
  const body = grid.querySelector("tbody");
  const rows = [...body.rows];
  const heads = [...grid.querySelectorAll("thead th")];
  const search = grid.querySelector("input[type=search]");
  const lists = [...grid.querySelectorAll("select")];
  const filter = () => {
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !lists.every((list) => !list.value || row.getAttribute("data-" + list.dataset.filter) === list.value) ||
        !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    grid.querySelector(".count").textContent = shown + " of " + rows.length + " rows";
  };
  const value = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.textContent;
    return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "none" ? head.classList.contains("n") : head.getAttribute("aria-sort") === "ascending";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row, place) => ({ row, place, key: value(row, column) }));
    keyed.sort((a, b) => {
      if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "") || a.place - b.place;
      const order = typeof a.key === "number" && typeof b.key === "number" ? a.key - b.key : String(a.key).localeCompare(String(b.key));
      return (down ? -order : order) || a.place - b.place;
    });
    body.append(...keyed.map((item) => item.row));
  }));
  search.addEventListener("input", filter);
  for (const list of lists) list.addEventListener("change", filter);
  filter();
}

// Paper has no clicks: what is folded away on the screen is printed.
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; part.dataset.printed = ""; }
});
addEventListener("afterprint", () => {
  for (const part of document.querySelectorAll("details[data-printed]")) { part.open = false; delete part.dataset.printed; }
});
