// The recipe in other languages. A JSON text is a YAML text, so that quoting is JSON's.
function yaml(value, indent = "") {
  return Object.entries(value).map(([name, v]) => {
    if (Array.isArray(v) || v === null || typeof v !== "object") return `${indent}${name}: ${flow(v)}\n`;
    return `${indent}${name}:\n${yaml(v, `${indent}  `)}`;
  }).join("");
}

function flow(v) {
  if (Array.isArray(v)) return `[${v.map(flow).join(", ")}]`;
  if (v !== null && typeof v === "object") return `{${Object.entries(v).map(([n, x]) => `${n}: ${flow(x)}`).join(", ")}}`;
  return JSON.stringify(v);
}

const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

export const kinds = {
  YAML: (recipe) => `# vortex generate recipe.yaml -o film.mp4\n${yaml(recipe)}`,
  curl: (recipe, origin) => `curl ${shell(`${origin}api/v1/slots?wait=1`)} -o film.mp4 \\
  -H 'Content-Type: application/json' \\
  -d ${shell(JSON.stringify({ recipe }))}\n`,
  Python: (recipe, origin) => `import json, urllib.request

recipe = json.loads(${JSON.stringify(JSON.stringify(recipe))})
request = urllib.request.Request(
    ${JSON.stringify(`${origin}api/v1/slots?wait=1`)},
    json.dumps({"recipe": recipe}).encode(), {"Content-Type": "application/json"})
with urllib.request.urlopen(request) as film, open("film.mp4", "wb") as out:
    out.write(film.read())\n`,
};
