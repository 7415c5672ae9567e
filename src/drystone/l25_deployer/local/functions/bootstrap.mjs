// Runs in a process of its own and calls a function of a service, again and again, as it is told over a socket.
//
//     node bootstrap.mjs SOCKET FOLDER HANDLER
//
// What bootstrap.py is for Python; frames are the same. It runs on Node from version 18, and on Deno from version 2.
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [place, folder, wanted] = process.argv.slice(2);
const ENDINGS = ["mjs", "js", "cjs", "mts", "ts"];
let arrived = Buffer.alloc(0);
let handler;
let busy = false;

const socket = connect(place);
socket.on("error", () => process.exit(0));
socket.on("end", () => process.exit(0));
socket.on("connect", begin);
socket.on("data", (piece) => {
  arrived = Buffer.concat([arrived, piece]);
  next();
});

async function begin() {
  try {
    const dot = wanted.lastIndexOf(".");
    const stem = join(folder, wanted.slice(0, dot).replaceAll(".", "/"));
    const file = ENDINGS.map((ending) => `${stem}.${ending}`).find(existsSync);
    if (!file) throw new Error(`there is no file ${stem}.js, or with another ending of the language`);
    const module = await import(pathToFileURL(file));
    handler = module[wanted.slice(dot + 1)] ?? module.default?.[wanted.slice(dot + 1)];
    if (typeof handler !== "function") throw new TypeError(`${wanted} cannot be called`);
  } catch (error) {
    console.error(error);
    send({ ok: false }, told(error));
    socket.end();
    return;
  }
  send({ ok: true }, "");
  next();
}

function next() {
  if (busy || !handler || arrived.length < 8) return;
  const head = arrived.readUInt32BE(0);
  const body = arrived.readUInt32BE(4);
  if (arrived.length < 8 + head + body) return;
  const said = JSON.parse(arrived.subarray(8, 8 + head).toString());
  const payload = arrived.subarray(8 + head, 8 + head + body).toString();
  arrived = arrived.subarray(8 + head + body);
  busy = true;
  answer(said, payload).finally(() => {
    busy = false;
    next();
  });
}

async function answer(head, payload) {
  console.log(`START ${head.id}`);
  let made;
  let ok = true;
  try {
    made = JSON.stringify((await called(JSON.parse(payload || "null"), contextOf(head))) ?? null);
  } catch (error) {
    console.error(error);
    ok = false;
    made = told(error);
  }
  console.log(`END ${head.id}`);
  send({ ok }, made);
}

function called(event, context) {
  if (handler.length < 3) return handler(event, context);
  return new Promise((resolve, reject) => {
    const back = (error, result) => (error ? reject(error) : resolve(result));
    const made = handler(event, context, back);
    if (typeof made?.then === "function") made.then(resolve, reject);
  });
}

function contextOf(head) {
  const deadline = performance.now() + head.seconds * 1000;
  return {
    awsRequestId: head.id,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    invokedFunctionArn: head.arn,
    logGroupName: `/aws/lambda/${process.env.AWS_LAMBDA_FUNCTION_NAME}`,
    logStreamName: process.env.DRYSTONE_INSTANCE ?? "",
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - performance.now())),
  };
}

function told(error) {
  const is = error instanceof Error;
  const stack = is && error.stack ? error.stack.split("\n").slice(1) : [];
  const said = { errorType: is ? error.name : "Error", errorMessage: is ? error.message : String(error) };
  return JSON.stringify({ ...said, stackTrace: stack });
}

function send(head, body) {
  const first = Buffer.from(JSON.stringify(head));
  const second = Buffer.from(body);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(first.length, 0);
  lengths.writeUInt32BE(second.length, 4);
  socket.write(Buffer.concat([lengths, first, second]));
}
