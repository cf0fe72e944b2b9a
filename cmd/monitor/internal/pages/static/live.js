"use strict";
// Keeps a page as it is in the record: it is told of changes, fetches itself anew, and puts in what differs. Without it every page is whole.
(() => {
  const body = document.body, sign = document.getElementById("live");
  const live = "live" in body.dataset && sign;
  let stream = null, poll = 0, paused = false, busy = false, again = false, told = Date.now();

  const show = (text) => { if (sign.textContent !== text) sign.textContent = text; };
  // What is seen may no longer be true, so that its buttons are off until the page was read again.
  const lost = (is) => {
    sign.classList.toggle("lost", is);
    body.classList.toggle("lost", is);
    for (const b of document.querySelectorAll("main button")) b.disabled = is;
  };
  const since = () => new Date(told).toTimeString().slice(0, 8);

  // What a user is at stays: a field being typed in, and what was folded out.
  const keep = {
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS") && name !== "checked" && name !== "disabled",
      beforeNodeMorphed: (node) => !(node.tagName === "FORM" && node.contains(document.activeElement)),
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
      if (ask.responseURL && new URL(ask.responseURL).pathname === "/login") {
        location.reload();
      } else if (ask.status === 200 && main && !paused) {
        for (const done of main.querySelectorAll("p.done")) done.remove();
        Idiomorph.morph(document.getElementById("main"), main, keep);
        told = Date.now();
        lost(false);
        show(stream ? "● live" : "○ read every 10 s");
      } else if (ask.status >= 500 || ask.status === 0) {
        lost(true);
        show("✕ no answer: what you see is from " + since());
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
    stream.addEventListener("lost", () => { lost(true); show("✕ Redis does not answer: what you see is from " + since()); });
    stream.addEventListener("alive", () => { if (sign.classList.contains("lost") || Date.now() - told > 12000) refresh(); });
    stream.onerror = () => {
      if (!stream) return;
      if (stream.readyState !== EventSource.CLOSED) { if (!sign.classList.contains("lost")) show("○ connecting"); return; }
      leave(); // it was refused: too many pages are open, or the session has ended
      refresh();
      poll = setInterval(() => { refresh(); }, 10000);
    };
  };
  const leave = () => {
    if (stream) stream.close();
    stream = null;
    clearInterval(poll);
  };

  if (live) {
    document.addEventListener("visibilitychange", () => { leave(); if (!document.hidden) { connect(); refresh(); } });
    addEventListener("pagehide", leave);
    connect();
  }
  const pause = () => {
    paused = !paused;
    leave();
    if (paused) show("‖ paused: p goes on"); else { connect(); refresh(); }
  };

  // The section of the runbook that an alert links to outlasts the login.
  const next = document.querySelector("main input[name=next]");
  if (next && location.hash) next.value += location.hash;

  // Keys: / finds, g and a letter goes, p pauses. None while typing, and none where they were switched off: k switches.
  const pages = { o: "/", s: "/stores", a: "/attention", d: "/dead-letters", r: "/rollout", c: "/clusters", q: "/queues/", b: "/runbook" };
  let go = 0;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
    const off = localStorage.getItem("keys") === "off";
    if (e.key === "k") localStorage.setItem("keys", off ? "on" : "off");
    else if (off) return;
    else if (e.key === "/") { e.preventDefault(); document.getElementById("find")?.focus(); }
    else if (e.key === "p" && live) pause();
    else if (e.key === "g") go = Date.now();
    else if (Date.now() - go < 1500 && pages[e.key]) location.href = pages[e.key];
  });
})();
