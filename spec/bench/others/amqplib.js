// What a user would write in Node for the same work, with amqplib: `make bench LONG=1` compares it.
"use strict";

const amqp = require("amqplib");
const http = require("http");

const KEY = /^v2\/raw_crash\/[^/]+\/\d{8}\/([0-9a-f]{8}(?:-[0-9a-f]{4}){4}[0-9a-f]{2}\d{6})$/;
const env = process.env;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const url = `http://${env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/${path}`;
    const headers = body ? { "Content-Length": Buffer.byteLength(body) } : {};
    const request = http.request(url, { method, agent, headers }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(pieces) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function main() {
  const connection = await amqp.connect({
    hostname: env.PIGEON_HOST, port: Number(env.PIGEON_PORT), vhost: env.PIGEON_VIRTUAL_HOST,
    username: env.PIGEON_USER, password: env.PIGEON_PASSWORD,
  });
  const channel = await connection.createConfirmChannel();
  const returned = new Set();
  channel.on("return", (message) => returned.add(message.properties.messageId));

  async function publish(id) {
    const options = {
      mandatory: true, persistent: true, contentType: "text/plain", messageId: id,
      timestamp: Math.floor(Date.now() / 1000), appId: "pigeon",
    };
    await Promise.all(env.PIGEON_QUEUE.split(",").map((queue) => new Promise((resolve, reject) => {
      channel.publish("", queue, Buffer.from(id), options, (problem) => problem ? reject(problem) : resolve());
    })));
    if (returned.has(id)) throw new Error(`${id} was returned`);
    console.log(JSON.stringify({ level: "INFO", message: "published", crash_id: id }));
  }

  for (;;) {
    const next = await call("GET", "next");
    for (const record of JSON.parse(next.body).Records) {
      const match = KEY.exec(decodeURIComponent(record.s3.object.key.replace(/\+/g, " ")));
      if (record.eventName === "ObjectCreated:Put" && match && match[1].at(-7) === "1") await publish(match[1]);
    }
    await call("POST", `${next.headers["lambda-runtime-aws-request-id"]}/response`, "null");
  }
}

main().catch((problem) => { console.error(problem); process.exit(1); });
