// Keeps my videos current: asks for the state once a second while a job is open, and lets the server draw what changed.
"use strict";

(() => {
  const list = document.querySelector(".videos");
  if (!list || list.dataset.settled === "yes") return;

  const seen = new Map();
  const PAUSE_MS = 1000;
  const PAUSE_AFTER_ERROR_MS = 5000;

  async function redraw(id) {
    const response = await fetch(`/me/videos/${id}`);
    if (!response.ok || response.redirected) return;
    const drawn = new DOMParser().parseFromString(await response.text(), "text/html").querySelector(".video");
    document.getElementById(`video-${id}`)?.replaceWith(drawn);
  }

  async function look() {
    const response = await fetch("/me/videos.json", { cache: "no-store" });
    if (response.redirected) return location.reload(); // signed out in another tab
    if (!response.ok) throw new Error(response.statusText);
    const videos = await response.json();
    for (const video of videos) {
      const state = JSON.stringify(video);
      if (seen.get(video.id) !== state) await redraw(video.id);
      seen.set(video.id, state);
    }
    if (!videos.every((video) => video.settled)) setTimeout(watch, PAUSE_MS);
  }

  function watch() {
    look().catch(() => setTimeout(watch, PAUSE_AFTER_ERROR_MS)); // the site restarts: it will be back
  }

  watch();
})();
