// `node speedscope.mjs FOLDER FILE..`: opens profiles with the importer of speedscope's page, whose script lies in FOLDER, and
// prints one line of JSON per file: what it made of it.
//
// The package holds the page's script only. It is run here without a page: what it asks of one is answered by an object
// that takes everything. The importer is the function that the page hands base64 content to.
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";

const [folder, ...files] = process.argv.slice(2);
const script = fs.readdirSync(folder).find((name) => /^speedscope-.*\.js$/.test(name));
const source = fs.readFileSync(path.join(folder, script), "utf8");
const importer = /loadFileFromBase64:\(\w+,\w+\)=>\{this\.loadProfile\(\(\)=>(\w+)\(/.exec(source);
if (!importer) throw new Error("speedscope's script has no loadFileFromBase64 any more");

const anything = new Proxy(function () {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => "" : key === Symbol.iterator ? undefined : anything),
  set: () => true,
  apply: () => anything,
  construct: () => anything,
});
const page = { console: { log() {}, warn() {}, error() {} } };
// A window whose every property is something would make libraries believe in whatever they look for.
page.window = page.self = page.globalThis = page;
for (const name of ["document", "navigator", "location", "localStorage", "addEventListener", "matchMedia", "HTMLElement"]) {
  page[name] = anything;
}
const own = ["atob", "TextDecoder", "TextEncoder", "setTimeout", "URL", "Uint8Array", "ArrayBuffer", "DataView"];
for (const name of own) page[name] = globalThis[name];
const exported = source.replace(/\(\(\)=>\{/, (start) => `${start}globalThis.importProfile=${importer[1]};`);
try {
  vm.runInNewContext(exported, page);
} catch {
  // Drawing the page fails at some point, which is behind everything that reads files.
}
for (const file of files) {
  const group = await page.importProfile(path.basename(file), fs.readFileSync(file).toString("base64"));
  if (!group) throw new Error(`${file}: speedscope does not know the format`);
  const profiles = group.profiles.map((profile) => {
    const functions = {};
    profile.forEachFrame((frame) => {
      functions[frame.name] = [frame.getSelfWeight(), frame.getTotalWeight()];
    });
    return { name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalNonIdleWeight(), functions };
  });
  console.log(JSON.stringify({ file: path.basename(file), active: group.indexToView, profiles }));
}
