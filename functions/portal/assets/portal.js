// Comfort only: every page works without it.

// A link leads on by itself where scripts run. Mail scanners that only fetch it do not use it up.
document.querySelector("form[data-submit]")?.requestSubmit();

// A purchase that is not paid yet is looked at again, less and less often, for about five minutes.
if (document.querySelector("[data-look-again]")) {
  const key = `looks ${location.pathname}`;
  const looks = Number(sessionStorage.getItem(key) ?? 0);
  if (looks < 20) {
    sessionStorage.setItem(key, looks + 1);
    setTimeout(() => location.reload(), Math.min(3000 + looks * 1500, 30000));
  }
}

// A payment whose outcome is not known yet is asked for again, about ten times.
const asking = document.querySelector("form[data-ask-again]");
if (asking) {
  const key = `asks ${asking.dataset.askAgain}`;
  const asks = Number(sessionStorage.getItem(key) ?? 0);
  if (asks < 10) {
    sessionStorage.setItem(key, asks + 1);
    setTimeout(() => asking.requestSubmit(), 3000);
  }
}

// A form is sent once.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
    }
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
  }
});
