// Optional: refreshes the parts marked data-live. Without it the page works the same; press "Read again".
(() => {
  const say = (words) => { document.getElementById("say").textContent = words; };
  const sentence = (root) => root.querySelector(".verdict")?.textContent ?? "";
  async function refresh() {
    if (document.hidden || document.querySelector("[data-live] :focus, [data-live] details[open]")) return;
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) return location.reload();
      if (!answer.ok) throw answer.status;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (sentence(fresh) !== sentence(document)) say(sentence(fresh));
      // What is new may use icons that were not on the page before.
      for (const icon of fresh.querySelectorAll("symbol")) {
        if (!document.getElementById(icon.id)) document.querySelector("body > svg").append(icon);
      }
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (next && next.innerHTML !== part.innerHTML) part.replaceWith(next);
      }
    } catch { say("Waybill does not answer. The figures are from the time shown at the end of the page."); }
  }
  // What runs for seconds only is marked data-soon.
  const wait = () => setTimeout(async () => { await refresh(); wait(); }, document.querySelector("[data-soon]") ? 1000 : 20000);
  if (location.protocol !== "file:") wait();
})();
