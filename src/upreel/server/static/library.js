// A title's picture is made when it is first asked for. Where that fails the title cannot be read,
// which is shown as it would be when the page is loaded again: with the reason.

async function explain(picture) {
  const card = picture.closest(".card");
  const answer = await fetch(card.dataset.api).then((response) => response.json(), () => null);
  const sign = document.createElement("span");
  sign.className = "picture";
  sign.ariaHidden = "true";
  sign.textContent = "!";
  picture.replaceWith(sign);
  if (answer?.state !== "broken") {
    return; // it plays, it only has no picture
  }
  const broken = document.createElement("div");
  broken.className = "card broken";
  const reason = document.createElement("span");
  reason.className = "quiet";
  reason.textContent = `not playable: ${answer.reason}`;
  broken.append(sign, card.querySelector(".name"), reason);
  card.replaceWith(broken);
}

for (const picture of document.querySelectorAll("img.picture")) {
  picture.addEventListener("error", () => explain(picture), { once: true });
  if (picture.complete && picture.naturalWidth === 0 && picture.loading !== "lazy") {
    explain(picture);
  }
}
