// While a run goes on: how far it is, what it spent and what failed, asked for every few seconds; and when more has been
// judged, the page's numbers and tables anew, at the same place and in the same state. Only `isobudget view` serves this.
"use strict";
(function (page) {
  const { html, render } = window.htmPreact;
  const EVERY = 1000; // milliseconds
  let begun = null;

  function Progress({ now, trouble }) {
    if (!now) return html`<p role="status">${trouble || "Loading the progress of the run ..."}</p>`;
    const rows = Object.entries(now.models), whole = (name) => rows.reduce((sum, [, one]) => sum + one[name], 0);
    return html`<p role="status">${page.counted(whole("samples"), "sample")}, ${page.grouped(whole("judged"))} judged${pace(whole("judged"))}.
        ${trouble && html` <strong>${trouble}</strong>`}</p>
      <div class="scroll" role="region" aria-label="Progress of the run" tabindex="0"><table>
        <caption>Progress of the run</caption>
        <thead><tr><th scope="col">Model</th><th scope="col">Samples</th><th scope="col">Judged</th><th scope="col">Passed, of sampled</th><th scope="col" class="text">Spent</th><th scope="col" class="text">Did not pass</th></tr></thead>
        <tbody>${rows.map(([model, one]) => html`<tr key=${model}><th scope="row">${page.printable(model)}</th>
          <td>${page.grouped(one.samples)}</td><td>${page.grouped(one.judged)}</td>
          <td>${one.sampled_judged ? `${page.percent(one.sampled_passed / one.sampled_judged)}%` : "-"}</td>
          <td class="text">${spent(one.spent)}</td><td class="text">${others(one)}</td></tr>`)}</tbody></table></div>
      ${rows.some(([, one]) => one.sampled_judged < one.judged) && html`<p class="note">Greedy outputs count in every column but Passed.</p>`}
      ${now.failed > 0 && html`<details><summary>${page.counted(now.failed, "problem")} failed to generate in the last attempt</summary>
        <ul>${now.failures.map((text) => html`<li>${text}</li>`)}</ul></details>`}`;
  }

  function pace(judged) {
    const time = Date.now();
    if (!begun) begun = { time, judged };
    const minutes = (time - begun.time) / 60000;
    return minutes > 0.2 && judged > begun.judged ? `, ${page.grouped((judged - begun.judged) / minutes)} a minute` : "";
  }

  function spent(amounts) {
    const tokens = (amounts.prompt_tokens || 0) + (amounts.completion_tokens || 0);
    const parts = [];
    if (amounts.seconds) parts.push(page.withUnit(amounts.seconds, "seconds"));
    if (tokens) parts.push(`${page.grouped(tokens)} tokens`);
    if (amounts.joules) parts.push(page.withUnit(amounts.joules, "joules"));
    if (amounts.usd) parts.push(page.withUnit(amounts.usd, "usd"));
    return parts.join(", ") || "-";
  }

  function others({ outcomes, cut_off }) {
    const parts = Object.entries(outcomes).filter(([name]) => name !== "passed").sort((one, other) => other[1] - one[1]);
    const texts = parts.map(([name, count]) => `${name.replaceAll("_", " ")} ${page.grouped(count)}`);
    if (cut_off) texts.push(`cut off ${page.grouped(cut_off)}`);
    return texts.join(", ") || "-";
  }

  // Fetch the page again, take its numbers, and put its tables in the place of the old ones.
  async function refresh() {
    const text = await (await fetch("./")).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const data = JSON.parse(fresh.getElementById("data").textContent);
    const bare = !Object.keys(page.data.benchmarks).length;
    if (bare && Object.keys(data.benchmarks).length) {
      location.reload();
      return;
    }
    page.data = data;
    page.version = (page.version || 0) + 1;
    for (const old of document.querySelectorAll("[data-static]")) {
      const now = fresh.querySelector(`[data-static="${CSS.escape(old.dataset.static)}"]`);
      if (now) old.replaceWith(document.importNode(now, true));
    }
    if (bare) return; // nothing can be compared yet
    page.forgetTexts();
    page.state = page.parse(location.hash);
    page.changed();
  }

  page.showLive = function (host) {
    let now = null, shown = page.data.live;
    const ask = async () => {
      let trouble = "";
      try {
        now = await (await fetch("live.json")).json();
        if (now.error) throw new Error(now.error);
        if (now.version !== shown) {
          await refresh();
          shown = now.version;
        }
      } catch (error) {
        trouble = error instanceof TypeError ? "isobudget view no longer responds; this is the last state that it sent." : error.message;
        if (now && now.error) now = null;
      }
      render(html`<${Progress} now=${now} trouble=${trouble} />`, host);
      setTimeout(ask, EVERY);
    };
    ask();
  };
})((window.isobudgetPage = window.isobudgetPage || {}));
