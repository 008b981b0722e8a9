// Shows what is pushed, and opens the space when that is pressed. It sees no page and no request (there is no page
// below its own folder), keeps nothing, and asks nobody for anything.

addEventListener("push", (event) => {
  let said = {};
  try {
    said = Object(event.data.json());
  } catch {
    // nothing that we sent; a browser wants something to be shown all the same
  }
  const { title = "Quittance", body = "", tag, lang = "" } = said;
  event.waitUntil(registration.showNotification(title, { body, tag, lang })); // one that came twice is shown once
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(clients.openWindow("/"));
});
