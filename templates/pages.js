// Signing out: the only command that these pages give.
"use strict";
const leave = document.getElementById("leave");
if (leave) {
  leave.hidden = false;
  leave.addEventListener("click", async () => {
    await fetch("/sign-out", { method: "POST", headers: { "x-command-key": leave.dataset.key } });
    location.assign("/sign-in");
  });
}
