// Gallery: pictures are decoded where they are shown; masks and Dice are computed from levels at the slider's threshold.
(() => {
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const at = (name) => document.getElementById("g-" + name);
  const OUTSIDE = 255, VOID = 254, FOUND = [255, 255, 255], FALSE_ALARM = [230, 159, 0], MISSED = [86, 180, 233];
  const SUBSETS = { test: "test", val: "validation" };
  const decoded = new Map();
  let order = 0, items = [], open = -1;

  const pixels = (uri) => {
    if (!decoded.has(uri)) decoded.set(uri, (async () => {
      const image = new Image();
      image.src = uri;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height);
    })());
    return decoded.get(uri);
  };
  const fill = (list, values, words) => {
    list.replaceChildren(...values.map((value, i) => new Option(words ? words[i] : value, value)));
  };
  const cell = () => data.cells[Number(at("cell").value)];
  const set = () => data.datasets[cell().dataset];
  const view = () => document.querySelector("input[name=view]:checked").value;
  const threshold = () => Number(at("threshold").value);

  // Draws one item and returns its Dice in this picture, of several classes null.
  const paint = (canvas, parts, kind, cut) => {
    const [image, truth, prediction] = parts;
    const { width, height } = image;
    const { several, colours, blank } = set();
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true }); // pixels are put, nothing is drawn: no GPU needed
    const out = context.createImageData(width, height);
    let both = 0, either = 0;
    for (let i = 0; i < width * height; i += 1) {
      const p = 4 * i, wanted = truth.data[p], level = prediction.data[p], nothing = blank && wanted === VOID, counts = wanted !== OUTSIDE && !nothing;
      const found = several ? level : level / 255 >= cut ? 1 : 0;
      if (counts && !several) {
        both += 2 * (found && wanted);
        either += found + wanted;
      }
      let colour = null;
      if (kind === "truth") colour = several ? (counts ? colours[wanted] : [40, 40, 40]) : wanted === 1 ? FOUND : counts ? [0, 0, 0] : [40, 40, 40];
      if (kind === "prediction") colour = several ? colours[found] : found ? FOUND : [0, 0, 0];
      if (kind === "errors" && counts) {
        if (several) colour = found === wanted ? null : colours[wanted];
        else if (found || wanted) colour = found && wanted ? FOUND : found ? FALSE_ALARM : MISSED;
      }
      if (nothing && kind !== "image" && kind !== "prediction") colour = blank;
      const grey = (image.data[p] + image.data[p + 1] + image.data[p + 2]) / 3;
      for (let c = 0; c < 3; c += 1) {
        const below = kind === "errors" ? (counts ? 0.45 : 0.22) * grey : image.data[p + c];
        out.data[p + c] = colour ? colour[c] * (kind === "errors" && !several ? 0.85 : 1) + (kind === "errors" && !several ? 0.15 * below : 0) : below;
      }
      out.data[p + 3] = 255;
    }
    context.putImageData(out, 0, 0);
    return several ? null : either ? both / either : NaN;
  };
  const title = (item) => data.samples[cell().dataset + "/" + item.sample].title || item.sample;
  const load = (item) => {
    const sample = data.samples[cell().dataset + "/" + item.sample];
    return Promise.all([pixels(sample.image), pixels(sample.truth), pixels(item.prediction)]);
  };
  const shown = (value) => (value === null || Number.isNaN(value) ? "not defined" : value.toFixed(3));
  const words = (item, here) => {
    const stratum = data.samples[cell().dataset + "/" + item.sample].stratum;
    const told = [title(item) + (stratum ? " (" + stratum + ")" : ""), (set().several ? "mean Dice " : "Dice ") + shown(item.dice)];
    if (here !== null) told.push("here " + shown(here));
    return (set().phantom ? "PHANTOM: " : "") + told.join(", ");
  };

  const draw = async () => {
    const turn = (order += 1), kind = view(), cut = threshold();
    delete at("cards").dataset.drawn;
    const loaded = await Promise.all(items.map(load));
    if (turn !== order) return; // a newer wish came while pictures were decoded
    let sum = 0, number = 0;
    items.forEach((item, i) => {
      const card = at("cards").children[i];
      const here = paint(card.querySelector("canvas"), loaded[i], kind, cut);
      card.querySelector(".told").textContent = words(item, here);
      card.querySelector("canvas").setAttribute("aria-label", kind + " of " + title(item));
      if (here !== null && !Number.isNaN(here)) { sum += here; number += 1; }
    });
    const mean = number ? ", mean Dice here " + (sum / number).toFixed(3) + " at threshold " + cut.toFixed(2) : "";
    at("status").textContent = items.length + " images" + mean + (set().several ? ": the class of a pixel is the most probable one, there is no threshold" : "") + (set().phantom ? " - PHANTOM data" : "");
    if (open >= 0) large(loaded[open]);
    at("cards").dataset.drawn = [kind, cut.toFixed(2)].join(" ");
  };
  const large = (parts) => {
    const item = items[open];
    const here = paint(at("large"), parts, view(), threshold());
    at("large").style.setProperty("--ratio", parts[0].width / parts[0].height);
    at("large").setAttribute("aria-label", view() + " of " + title(item));
    at("title").textContent = title(item) + " - " + cell().name;
    at("told").textContent = words(item, here) + (here === null ? "" : " at threshold " + threshold().toFixed(2));
  };
  const list = () => {
    const wanted = at("subset").value, kind = at("order").value;
    const rank = (item) => (item.dice === null ? 2 : kind === "best" ? -item.dice : item.dice);
    items = cell().items.filter((item) => item.subset === wanted);
    items.sort((a, b) => (kind === "name" ? 0 : rank(a) - rank(b)) || a.sample.localeCompare(b.sample, "en", { numeric: true }));
    at("cards").replaceChildren(...items.map((item, i) => {
      const entry = document.createElement("li"), button = document.createElement("button");
      const canvas = document.createElement("canvas"), told = document.createElement("span");
      button.type = "button";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", title(item));
      told.className = "told";
      told.textContent = title(item);
      button.append(canvas, told);
      button.addEventListener("click", () => { open = i; at("view").value = view(); at("dialog").showModal(); draw(); });
      entry.append(button);
      return entry;
    }));
    const classes = set().several
      ? set().classes.map((name, i) => [name, set().colours[i]])
      : [["found", FOUND], ["false alarm", FALSE_ALARM], ["missed", MISSED]];
    if (set().blank) classes.push(["void: counts for nothing", set().blank]);
    at("key").replaceChildren(...classes.map(([name, colour]) => {
      const entry = document.createElement("li"), box = document.createElement("i");
      box.style.background = "rgb(" + colour.join(" ") + ")";
      entry.append(box, name);
      return entry;
    }));
    draw();
  };
  const reset = () => {
    for (const name of ["slide", "slide-large", "reset"]) at(name).hidden = set().several;
    for (const name of ["threshold", "threshold-large"]) at(name).value = cell().threshold ?? 0.5;
  };
  const choose = () => {
    const subsets = Object.keys(SUBSETS).filter((name) => cell().items.some((item) => item.subset === name));
    const before = at("subset").value;
    fill(at("subset"), subsets, subsets.map((name) => SUBSETS[name]));
    if (subsets.includes(before)) at("subset").value = before;
    decoded.clear();
    reset();
    list();
  };
  const cells = () => {
    const own = data.cells.map((item, i) => [i, item]).filter(([, item]) => item.dataset === at("dataset").value);
    fill(at("cell"), own.map(([i]) => i), own.map(([, item]) => item.name));
    choose();
  };
  const turn = (step) => { open = (open + step + items.length) % items.length; draw(); };
  const slide = (source, other) => at(source).addEventListener("input", () => { at(other).value = at(source).value; draw(); });

  const names = [...new Set(data.cells.map((item) => item.dataset))];
  fill(at("dataset"), names, names.map((name) => name + (data.datasets[name].phantom ? " (PHANTOM)" : "")));
  at("dataset").addEventListener("change", cells);
  at("cell").addEventListener("change", choose);
  at("subset").addEventListener("change", list);
  at("order").addEventListener("change", list);
  at("views").addEventListener("change", draw);
  at("view").addEventListener("change", () => { document.querySelector("input[name=view][value=" + at("view").value + "]").checked = true; draw(); });
  slide("threshold", "threshold-large");
  slide("threshold-large", "threshold");
  at("reset").addEventListener("click", () => { reset(); draw(); });
  at("close").addEventListener("click", () => at("dialog").close());
  at("dialog").addEventListener("close", () => { at("cards").children[open]?.querySelector("button").focus(); open = -1; });
  at("dialog").addEventListener("keydown", (event) => {
    if (event.target.matches("input, select")) return;
    if (event.key === "ArrowLeft") turn(-1);
    if (event.key === "ArrowRight") turn(1);
  });
  at("back").addEventListener("click", () => turn(-1));
  at("next").addEventListener("click", () => turn(1));
  cells();
})();
