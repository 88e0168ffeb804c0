// Puts the parts where the page has marked a place for them. What stands on the page without scripts stays as it is.
"use strict";
(function (page) {
  const place = (name) => document.querySelector(`[data-part="${name}"]`);

  function start() {
    if (page.data.live !== null) page.showLive(place("live"));
    if (!Object.keys(page.data.benchmarks).length) return;
    document.documentElement.classList.add("scripted");
    document.querySelectorAll("details.paper").forEach((one) => { one.open = false; });
    page.showSlider(place("controls"), place("slider"));
    page.showFigure(place("figure"));
    page.showFlip(place("flip"));
    page.showRankers(place("rankers"));
    page.showHeat(place("heat-controls"), place("heat"));
    page.showProblem(place("problem"));
    page.showDownloads(place("downloads"));
  }

  start();
  document.documentElement.dataset.ready = "yes";
})((window.isobudgetPage = window.isobudgetPage || {}));
