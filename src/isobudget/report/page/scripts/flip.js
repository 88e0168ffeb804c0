// Where the winner flips: two models, how many samples of the cheaper one do as well as so many of the dearer, and a
// slider for what a sample of the dearer costs. It moves the figure and the budget slider above as well. Own prices, in
// usd per GPU-hour or per million tokens, are set here.
"use strict";
(function (page) {
  const { html, render } = window.htmPreact;
  const OCTAVES = 6, STEPS = 8; // a price from 1/64 to 64 times the recorded one, eight steps to a doubling

  // The pair that is looked at, the recorded cheaper one first: by default the cheapest and the dearest.
  page.pair = function (state) {
    const labels = Object.keys(page.comparison(state).models);
    if (labels.length < 2) return null;
    const [one, other] = state.pair || [labels[0], labels[labels.length - 1]];
    return labels.indexOf(one) < labels.indexOf(other) ? [one, other] : [other, one];
  };

  // How many further samples of the cheap model one of k of the dear one pays for, as Python's flips have it.
  page.ratio = function (state, cheap, dear, k) {
    const low = page.price(state, cheap), high = page.price(state, dear);
    return Math.max(0, page.cost(high, k) - low.perProblem) / low.perSample / k;
  };

  function Flip({ state }) {
    const pair = page.pair(state);
    if (!pair) return null;
    const [cheap, dear] = pair, names = pair.map(page.printable);
    const flips = page.comparison(state).flips.filter((one) => one.cheap === cheap && one.dear === dear);
    const k = flips.some((one) => one.k_dear === state.k_dear) ? state.k_dear : 1;
    const flip = flips.find((one) => one.k_dear === k);
    const shown = flips.map((one) => one.k_dear).filter((one) => Math.log2(one) % 1 === 0);
    return html`<div class="flip">
      <${Pairs} state=${state} pair=${pair} />
      ${shown.length > 1 && html`<label>Against <select value=${k} onChange=${(event) => page.set({ k_dear: Number(event.target.value) })}>
        ${shown.map((one) => html`<option key=${one} value=${one}>${page.counted(one, "sample")}</option>`)}</select> of ${names[1]}</label>`}
      <p>${flip ? recorded(state, flip, names) : ""}</p>
      ${state.unit === "own" ? html`<${Rates} state=${state} />` : html`<${Ratio} state=${state} cheap=${cheap} dear=${dear} k=${k} />`}
      <p class="winner" aria-live="polite" id="flipped">${verdict(state, cheap, dear, k)}</p></div>`;
  }

  function Pairs({ state, pair }) {
    const labels = Object.keys(page.comparison(state).models);
    if (labels.length < 3) return null;
    const choose = (at, label) => {
      const other = pair[1 - at] === label ? pair[at] : pair[1 - at];
      page.set({ pair: at ? [other, label] : [label, other] });
    };
    return html`<p class="pairs">${pair.map((label, at) => html`<label>${at ? "The more expensive model" : "The cheaper model"}
      <select value=${label} onChange=${(event) => choose(at, event.target.value)}>
        ${labels.map((one) => html`<option key=${one} value=${one}>${page.printable(one)}</option>`)}</select></label> `)}</p>`;
  }

  // What the samples say, whatever prices are.
  function recorded(state, flip, [cheap, dear]) {
    const level = page.percent(page.comparison(state).level, 0), of = `${page.counted(flip.k_dear, "sample")} of ${dear}`;
    if (flip.k_cheap === null) return `All recorded samples of ${cheap} together solve less than ${of}, so no price ratio is known at which the winner flips.`;
    const end = (value) => (value === null ? "no end within the recorded samples" : page.amount(value));
    const ends = flip.low === null && flip.high === null ? "no interval" : `${level}% interval ${end(flip.low)} to ${end(flip.high)}`;
    return `${page.counted(flip.k_cheap, "sample")} of ${cheap} ${flip.k_cheap === 1 ? "does" : "do"} as well as ${of}: the winner flips where one sample of ${dear} costs as much as ${page.amount(flip.ratio)} of ${cheap} (${ends}).`;
  }

  // The slider of the price ratio: it changes the price of the dearer model.
  function Ratio({ state, cheap, dear, k }) {
    const factor = page.own(state.price, dear) || 1, at = Math.round(Math.log2(factor) * STEPS);
    const amount = page.amount(page.ratio(state, cheap, dear, k));
    const text = `${amount} sample${amount === "1" ? "" : "s"} of ${page.printable(cheap)}`;
    const move = (event) => {
      const price = { ...state.price, [dear]: 2 ** (Number(event.target.value) / STEPS) };
      if (price[dear] === 1) delete price[dear];
      page.set({ price });
    };
    return html`<div class="slider"><label for="ratio">One sample of ${page.printable(dear)} costs <output for="ratio">${text}</output></label>
      <input id="ratio" type="range" min=${-OCTAVES * STEPS} max=${OCTAVES * STEPS} step="1" value=${at} aria-valuetext=${text} onInput=${move} /></div>`;
  }

  // Own prices, one a model.
  function Rates({ state }) {
    const ways = { hour: "usd per GPU-hour", million: "usd per million tokens" };
    const set = (label, value) => page.set({ rate: { ...state.rate, [label]: value }, budget: null });
    // What is no price is taken back, and the field shows the one that counts.
    const typed = (label, field) => {
      if (page.isPrice(Number(field.value))) set(label, Number(field.value));
      else field.value = page.significant(page.rate(state, label), 6);
    };
    return html`<div class="rates">
      ${page.ownPrices(state.benchmark).length > 1 && html`<fieldset><legend>Own price in</legend>${page.ownPrices(state.benchmark).map((way) => html`
        <label key=${way}><input type="radio" name="per" checked=${state.per === way} onChange=${() => page.set({ per: way, budget: null })} /> ${ways[way]}</label>`)}</fieldset>`}
      ${Object.keys(page.comparison(state).models).map((label, at) => html`<div class="rate" key=${label}>
        <label for=${`rate-${at}`}><${page.Sign} label=${label} /> ${page.printable(label)}, ${ways[state.per]}</label>
        <input type="range" min="-40" max="60" step="1" aria-label=${`${page.printable(label)}, ${ways[state.per]}, slider`} aria-valuetext=${`$${page.amount(page.rate(state, label))}`}
          value=${Math.round(Math.log2(page.rate(state, label)) * 8)} onInput=${(event) => set(label, 2 ** (Number(event.target.value) / 8))} />
        <input id=${`rate-${at}`} type="number" min="0" step="any" value=${page.significant(page.rate(state, label), 6)} onChange=${(event) => typed(label, event.target)} /></div>`)}
    </div>`;
  }

  // Who leads at the price of k samples of the dearer model.
  function verdict(state, cheap, dear, k) {
    const budget = page.cost(page.price(state, dear), k), unit = page.unitShown(state);
    const one = page.at(state, cheap, budget), other = page.at(state, dear, budget);
    const start = `At the price of ${page.counted(k, "sample")} of ${page.printable(dear)} (${page.withUnit(budget, unit)} a problem)`;
    if (!one.k) return `${start} no sample of ${page.printable(cheap)} is affordable: ${page.percent(other.success)}% are solved.`;
    const [ahead, behind] = one.success >= other.success ? [one, other] : [other, one];
    const lead = page.lead(state, budget, ahead, behind);
    const both = `${page.printable(ahead.label)} solves ${page.percent(ahead.success)}% with ${page.counted(ahead.k, "sample")}, ${page.printable(behind.label)} ${page.percent(behind.success)}% with ${page.grouped(behind.k)}`;
    if (Math.abs(lead.difference) < 1e-12) return `${start} both solve ${page.percent(ahead.success)}%.`;
    const more = behind.capped ? `; ${page.printable(behind.label)} could afford more samples than were recorded` : "";
    return `${start} ${both}: ${lead.clear ? "clear" : "not clear"}${more}.`;
  }

  page.showFlip = function (host) {
    const draw = (state) => render(html`<${Flip} state=${state} />`, host);
    draw(page.state);
    page.listen(draw);
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
