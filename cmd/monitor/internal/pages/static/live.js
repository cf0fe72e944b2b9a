"use strict";
// Keeps a page as it is in the record: it is told of changes, fetches itself anew, and puts in what differs. Without it every page is whole.
(() => {
  const body = document.body, sign = document.getElementById("live");
  if (!("live" in body.dataset) || !sign) return keys();
  let stream = null, paused = false, busy = false, again = false, told = 0;

  const show = (text, lost) => {
    if (sign.textContent !== text) sign.textContent = text;
    sign.classList.toggle("lost", !!lost);
    body.classList.toggle("lost", !!lost);
    for (const b of document.querySelectorAll("main button")) b.disabled = !!lost;
  };

  // What a user is at stays: a field being typed in, an open dialog, what was folded out.
  const keep = {
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS") && name !== "checked" && name !== "disabled",
      beforeNodeMorphed: (node) => !(node.tagName === "FORM" && node.contains(document.activeElement)) && !(node.tagName === "DIALOG" && node.open),
    },
  };

  const refresh = () => {
    if (busy) { again = true; return; }
    busy = true;
    const ask = new XMLHttpRequest();
    ask.open("GET", location.href);
    ask.responseType = "document";
    ask.timeout = 10000;
    ask.onloadend = () => {
      busy = false;
      const main = ask.response && ask.response.getElementById("main");
      if (ask.status === 200 && main && !paused) {
        for (const done of main.querySelectorAll("p.done")) done.remove();
        Idiomorph.morph(document.getElementById("main"), main, keep);
        told = Date.now();
        show("● live");
      } else if (ask.status === 401 || (ask.responseURL && ask.responseURL.includes("/login"))) {
        location.reload();
      } else if (ask.status >= 500 || ask.status === 0) {
        show("✕ not live: what you see is from " + new Date(told).toTimeString().slice(0, 8), true);
      }
      if (again) { again = false; refresh(); }
    };
    ask.send();
  };

  const connect = () => {
    if (stream || paused) return;
    stream = new EventSource("/live?store=" + encodeURIComponent(body.dataset.live));
    stream.addEventListener("open", () => { if (!sign.classList.contains("lost")) show("● live"); });
    stream.addEventListener("changed", refresh);
    stream.addEventListener("lost", () => show("✕ Redis does not answer: what you see is from " + new Date(told).toTimeString().slice(0, 8), true));
    stream.addEventListener("alive", () => { if (Date.now() - told > 12000) refresh(); });
    stream.onerror = () => { if (stream && stream.readyState === EventSource.CLOSED) { leave(); setTimeout(connect, 10000); } else show("○ connecting"); };
  };
  const leave = () => { if (stream) stream.close(); stream = null; };

  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); else { connect(); refresh(); } });
  addEventListener("pagehide", leave);
  told = Date.now();
  connect();
  keys(() => {
    paused = !paused;
    if (paused) { leave(); show("‖ paused: p goes on"); } else { connect(); refresh(); }
  });

  // Keys: / finds, g and a letter goes, p pauses. None while typing.
  function keys(pause) {
    const pages = { o: "/", s: "/stores", a: "/attention", d: "/dead-letters", r: "/rollout", c: "/clusters", q: "/queues/" };
    let go = 0;
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
      if (e.key === "/") { e.preventDefault(); document.getElementById("find")?.focus(); }
      else if (e.key === "p" && pause) pause();
      else if (e.key === "g") go = Date.now();
      else if (Date.now() - go < 1500 && pages[e.key]) location.href = pages[e.key];
    });
  }
})();
