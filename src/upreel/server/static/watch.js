// What a plain <video> cannot do by itself: say why nothing plays, and show subtitles of the plain
// file. A player of its own replaces this file; the page's <main> tells it all that it needs.

const main = document.querySelector("main");
const video = document.querySelector("video");
const message = document.querySelector("#message");

async function explain() {
  const answer = await fetch(main.dataset.api).then((response) => response.json(), () => null);
  const reason = answer?.reason || answer?.error;
  message.textContent = reason
    ? `This does not play: ${reason}`
    : "This browser plays neither the stream nor the file. Another player can: see the link below.";
}

video.querySelector("source:last-of-type").addEventListener("error", explain);

async function addSubtitles() {
  if (!video.currentSrc.endsWith("/file") || video.querySelector("track")) {
    return; // a stream brings its own
  }
  const { tracks } = await fetch(main.dataset.rungs).then((response) => response.json());
  for (const text of tracks.filter((track) => track.kind === "text")) {
    const track = document.createElement("track");
    track.kind = "subtitles";
    track.label = text.label;
    track.srclang = text.language;
    track.src = text.plain;
    video.append(track);
  }
}

video.addEventListener("loadedmetadata", () => addSubtitles().catch(() => {}));
