// Wheel, + and -: zoom. Drag, arrow keys: move. 0: the whole picture. Click on a box: its arrows only.
(function () {
  "use strict";
  var root = document.documentElement;
  var viewport = document.getElementById("viewport");
  var scale = 1, x = 0, y = 0, held = null, moved = false;

  function show() {
    viewport.setAttribute("transform", "translate(" + x + " " + y + ") scale(" + scale + ")");
  }
  // From the window to the drawing before it is moved.
  function place(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(root.getScreenCTM().inverse());
  }
  function zoom(factor, at) {
    var next = Math.min(200, Math.max(0.05, scale * factor));
    x = at.x - (at.x - x) * next / scale;
    y = at.y - (at.y - y) * next / scale;
    scale = next;
    show();
  }
  function middle() {
    return place({ clientX: window.innerWidth / 2, clientY: window.innerHeight / 2 });
  }
  function only(box) {
    var arrows = document.querySelectorAll("[data-from]");
    var again = !box || box.classList.contains("chosen");
    document.querySelectorAll(".chosen").forEach(function (old) { old.classList.remove("chosen"); });
    root.classList.toggle("quiet", !again);
    if (!again) { box.classList.add("chosen"); }
    arrows.forEach(function (arrow) {
      var id = again ? "" : box.getAttribute("data-box");
      arrow.classList.toggle("lit", arrow.getAttribute("data-from") === id || arrow.getAttribute("data-to") === id);
    });
  }

  root.addEventListener("wheel", function (event) {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), place(event));
  }, { passive: false });
  root.addEventListener("pointerdown", function (event) {
    if (event.button === 0) { held = place(event); moved = false; }
  });
  root.addEventListener("pointermove", function (event) {
    if (!held) { return; }
    var now = place(event);
    if (!moved && Math.hypot(now.x - held.x, now.y - held.y) * root.getScreenCTM().a < 4) { return; }
    moved = true;
    x += now.x - held.x;
    y += now.y - held.y;
    held = now;
    show();
  });
  window.addEventListener("pointerup", function () { held = null; });
  root.addEventListener("click", function (event) {
    if (!moved) { only(event.target.closest("[data-box]")); }
  });
  window.addEventListener("keydown", function (event) {
    var step = 60 / root.getScreenCTM().a;
    if (event.ctrlKey || event.metaKey || event.altKey) { return; }
    switch (event.key) {
      case "+": case "=": zoom(1.25, middle()); break;
      case "-": zoom(0.8, middle()); break;
      case "0": scale = 1; x = 0; y = 0; show(); break;
      case "ArrowLeft": x += step; show(); break;
      case "ArrowRight": x -= step; show(); break;
      case "ArrowUp": y += step; show(); break;
      case "ArrowDown": y -= step; show(); break;
      case "Escape": only(null); break;
      default: return;
    }
    event.preventDefault();
  });
})();
