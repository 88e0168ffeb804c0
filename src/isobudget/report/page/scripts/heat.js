// The heat map: which model solves which problem how often, on one canvas, whatever the number of problems.
//
// Problems run from left to right in lines, one column each, models from top to bottom inside a line. A cell is filled
// from below by the share of samples that passed, so that it can be read without colours. Arrow keys walk over it, Enter
// opens a problem, and a line below says what stands at the pointer or the cursor.
"use strict";
(function (page) {
  const { html, render } = window.htmPreact;
  const SORTS = { name: "as in the benchmark", rate: "hardest first", disagreement: "by disagreement" };
  const SIZES = [36, 28, 22, 18, 14, 11, 9, 7, 5], TALLEST = 560, GAP = 8;
  let canvas, scroller, spacer, line;
  let map = null;
  let cursor = 0;

  // Rates of every problem by the models that are shown, and the order of the problems.
  page.rates = function (state) {
    const record = page.data.benchmarks[state.benchmark];
    const labels = record.sliders.labels.filter((label) => !state.hidden.has(label));
    const rows = record.task_ids.map((task, place) => {
      const counts = labels.map((label) => record.passed[label][task]);
      const shares = counts.map(([passed, judged]) => passed / judged);
      return {
        task, place, counts, shares,
        mean: shares.reduce((sum, one) => sum + one, 0) / shares.length,
        apart: Math.max(...shares) - Math.min(...shares),
      };
    });
    if (state.sort === "rate") rows.sort((one, other) => one.mean - other.mean || one.place - other.place);
    if (state.sort === "disagreement") rows.sort((one, other) => other.apart - one.apart || one.place - other.place);
    return { labels, rows };
  };

  // How large cells are, and how many columns a line has.
  function layout(state, width) {
    const { labels, rows } = page.rates(state);
    const fits = (size) => {
      const columns = Math.max(1, Math.floor(width / size)), lines = Math.ceil(rows.length / columns);
      return { size, columns, lines, step: labels.length * size + GAP, height: lines * (labels.length * size + GAP) };
    };
    const all = SIZES.map(fits);
    const chosen = all.find((one) => one.height <= TALLEST) || all[all.length - 1];
    return { ...chosen, labels, rows, width };
  }

  // Only the lines that can be seen are drawn: 5,000 problems on a phone would be a canvas of many screens.
  function paint() {
    const size = devicePixelRatio, tall = Math.min(map.height, TALLEST);
    canvas.width = map.width * size;
    canvas.height = tall * size;
    canvas.style.width = `${map.width}px`;
    canvas.style.height = `${tall}px`;
    const context = canvas.getContext("2d"), top = scroller.scrollTop;
    context.scale(size, size);
    context.clearRect(0, 0, map.width, tall);
    const first = Math.floor(top / map.step) * map.columns, last = Math.ceil((top + tall) / map.step) * map.columns;
    const colours = { pass: page.colour("--heat"), empty: page.colour("--tint"), none: page.colour("--none"), ink: page.colour("--ink") };
    for (let at = first; at < Math.min(last, map.rows.length); at += 1) column(context, at, top, colours);
    mark(context, cursor, top, colours.ink);
  }

  function corner(at) {
    return [(at % map.columns) * map.size, Math.floor(at / map.columns) * map.step];
  }

  function column(context, at, top, colours) {
    const [x, y] = corner(at), edge = map.size > 7 ? 1 : 0.5;
    map.rows[at].shares.forEach((share, model) => {
      const side = map.size - edge, start = y - top + model * map.size;
      context.fillStyle = share === 0 ? colours.none : colours.empty;
      context.fillRect(x, start, side, side);
      context.fillStyle = colours.pass;
      const tall = share === 0 ? 0 : Math.max(1, Math.round(share * side));
      context.fillRect(x, start + side - tall, side, tall);
    });
  }

  function mark(context, at, top, ink) {
    const [x, y] = corner(at);
    context.strokeStyle = ink;
    context.lineWidth = 2;
    context.strokeRect(x, y - top - 1, map.size, map.step - GAP + 1);
  }

  // What stands at a place, in words.
  function words(at) {
    const row = map.rows[at];
    const parts = map.labels.map((label, model) => `${label} ${page.grouped(row.counts[model][0])} of ${page.grouped(row.counts[model][1])}`);
    return page.printable(`${row.task}: ${parts.join(", ")}`);
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / map.size), y = Math.floor((event.clientY - box.top + scroller.scrollTop) / map.step);
    const at = y * map.columns + x;
    return x >= 0 && x < map.columns && at < map.rows.length ? at : null;
  }

  function moveTo(at) {
    cursor = Math.max(0, Math.min(map.rows.length - 1, at));
    const [, y] = corner(cursor), tall = Math.min(map.height, TALLEST);
    if (y < scroller.scrollTop) scroller.scrollTop = y;
    if (y + map.step > scroller.scrollTop + tall) scroller.scrollTop = y + map.step - tall;
    line.textContent = words(cursor);
    paint();
  }

  const KEYS = {
    ArrowLeft: () => cursor - 1, ArrowRight: () => cursor + 1, ArrowUp: () => cursor - map.columns,
    ArrowDown: () => cursor + map.columns, Home: () => 0, End: () => map.rows.length - 1,
  };

  function key(event) {
    if (event.key === "Enter" || event.key === " ") open(cursor);
    else if (KEYS[event.key]) moveTo(KEYS[event.key]());
    else return;
    event.preventDefault();
  }

  function open(at) {
    page.set({ problem: map.rows[at].task });
    document.getElementById("problem").scrollIntoView({ block: "nearest" });
  }

  function Controls({ state }) {
    const labels = page.rates(state).labels.map(page.printable);
    return html`<div class="controls"><fieldset><legend>Order</legend>${Object.entries(SORTS).map(([sort, text]) => html`
      <label key=${sort}><input type="radio" name="sort" value=${sort} checked=${state.sort === sort} onChange=${() => page.set({ sort })} /> ${text}</label>`)}</fieldset>
      <${Finder} state=${state} /></div>
      <p class="note">One column a problem, from top to bottom: ${labels.join(", ")}. A cell is filled by the share of its samples that passed; grey where none did. Arrow keys walk, Enter opens.</p>`;
  }

  // Problems by name, for those who know what they look for.
  function Finder({ state }) {
    const find = (event) => {
      const task = page.data.benchmarks[state.benchmark].task_ids.find((one) => one === event.target.value);
      if (task !== undefined) page.set({ problem: task });
    };
    return html`<label>Open <input type="search" list="tasks" value=${state.problem || ""} onChange=${find} placeholder="a problem by name" />
      <datalist id="tasks">${page.data.benchmarks[state.benchmark].task_ids.slice(0, 1000).map((task) => html`<option key=${task} value=${task} />`)}</datalist></label>`;
  }

  page.showHeat = function (controls, host) {
    scroller = host.appendChild(Object.assign(document.createElement("div"), { className: "heat" }));
    canvas = scroller.appendChild(document.createElement("canvas"));
    spacer = scroller.appendChild(document.createElement("div"));
    line = host.appendChild(Object.assign(document.createElement("p"), { className: "at", id: "heat-line" }));
    line.setAttribute("aria-live", "polite");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-describedby", "heat-line");
    canvas.addEventListener("keydown", key);
    canvas.addEventListener("mousemove", (event) => { const at = place(event); if (at !== null) line.textContent = words(at); });
    canvas.addEventListener("click", (event) => { const at = place(event); if (at !== null) { moveTo(at); open(at); } });
    scroller.addEventListener("scroll", paint);
    let sized = "";
    const draw = (state) => {
      render(html`<${Controls} state=${state} />`, controls);
      const now = JSON.stringify([state.benchmark, [...state.hidden], state.sort, host.clientWidth, page.night.matches, page.version || 0]);
      if (now === sized) return;
      sized = now;
      map = layout(state, Math.max(200, host.clientWidth));
      cursor = Math.min(cursor, map.rows.length - 1);
      scroller.style.maxHeight = `${TALLEST}px`;
      spacer.style.height = `${Math.max(0, map.height - Math.min(map.height, TALLEST))}px`;
      canvas.setAttribute("aria-label", `Heat map of ${page.counted(map.rows.length, "problem")} by ${page.counted(map.labels.length, "model")}`);
      line.textContent = words(cursor);
      paint();
    };
    draw(page.state);
    page.listen(draw);
    page.night.addEventListener("change", () => draw(page.state));
    new ResizeObserver(() => draw(page.state)).observe(host);
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
