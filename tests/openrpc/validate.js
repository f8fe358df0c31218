// Reads an OpenRPC document from standard input; exit 1 with the reasons when it is none.
"use strict";
const { validateOpenRPCDocument } = require("@open-rpc/schema-utils-js");

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", () => {
  const document = JSON.parse(text);
  const verdict = validateOpenRPCDocument(document);
  if (verdict !== true) {
    console.error(verdict.message || verdict);
    process.exit(1);
  }
  console.log(`a valid OpenRPC ${document.openrpc} document with ${document.methods.length} methods`);
});
