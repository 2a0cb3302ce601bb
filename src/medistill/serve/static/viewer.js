// Shows one picture: 16-bit values through a window, and a map or a mask on top.
const byId = (id) => document.getElementById(id);
// The style sheet holds the same, for the key of the mask.
export const HUES = [[230, 60, 50], [60, 120, 240], [40, 170, 90], [230, 160, 20], [160, 80, 220]];

let shown = null; // { width, height, channels, values, map, mask }

export function show(picture) {
  shown = picture;
  const canvas = byId("picture");
  canvas.width = picture.width;
  canvas.height = picture.height;
  draw();
}

export function readPixels(buffer, headers) {
  const bytes = new DataView(buffer);
  const values = new Uint16Array(buffer.byteLength / 2);
  for (let i = 0; i < values.length; i += 1) values[i] = bytes.getUint16(2 * i, true);
  const number = (name) => Number(headers.get(name));
  return {
    width: number("X-Width"), height: number("X-Height"), channels: number("X-Channels"), values,
  };
}

function draw() {
  if (!shown) return;
  const centre = Number(byId("centre").value) / 100;
  const span = Number(byId("width").value) / 100;
  byId("centre-value").textContent = `${byId("centre").value} %`;
  byId("width-value").textContent = `${byId("width").value} %`;
  byId("opacity-value").textContent = `${byId("opacity").value} %`;
  drawPicture((centre - span / 2) * 65535, Math.max(span, 1e-3) * 65535);
  drawOverlay(Number(byId("opacity").value) / 100);
}

function drawPicture(low, span) {
  const { width, height, channels, values } = shown;
  const context = byId("picture").getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) {
      const value = values[channels === 3 ? 3 * i + c : i];
      image.data[4 * i + c] = ((value - low) / span) * 255; // clamped by the array itself
    }
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function drawOverlay(opacity) {
  const canvas = byId("overlay");
  canvas.width = shown.width;
  canvas.height = shown.height;
  const context = canvas.getContext("2d");
  context.globalAlpha = opacity;
  if (shown.mask) {
    context.imageSmoothingEnabled = false;
    context.drawImage(colouredMask(shown.mask), 0, 0, shown.width, shown.height);
  } else if (shown.map) {
    const [left, top, right, bottom] = shown.map.box;
    const across = shown.width, down = shown.height;
    context.imageSmoothingQuality = "high";
    context.drawImage(
      colouredMap(shown.map), left * across, top * down, (right - left) * across, (bottom - top) * down,
    );
  }
}

function colouredMap(map) {
  return painted(map.columns, map.rows, (x, y) => {
    const value = map.values[y][x];
    // Black body: red, then yellow, then white; alpha grows with its square.
    return [255 * Math.min(1, 3 * value), 255 * Math.max(0, Math.min(1, 3 * value - 1)),
      255 * Math.max(0, 3 * value - 2), 255 * value * value];
  });
}

function colouredMask(bitmap) {
  const canvas = painted(bitmap.width, bitmap.height, () => [0, 0, 0, 0]);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let i = 0; i < image.data.length; i += 4) {
    const number = image.data[i];
    const hue = number ? HUES[(number - 1) % HUES.length] : [0, 0, 0];
    image.data.set([...hue, number ? 255 : 0], i);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function painted(width, height, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) image.data.set(colour(x, y), 4 * (y * width + x));
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

for (const id of ["centre", "width", "opacity"]) byId(id).addEventListener("input", draw);
byId("reset").addEventListener("click", () => {
  byId("centre").value = 50;
  byId("width").value = 100;
  draw();
});
