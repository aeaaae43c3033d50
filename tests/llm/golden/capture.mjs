// What the official clients send for the questions of src/llm/protocol_test.cpp. Run once, where npm can be reached:
//   npm install openai @anthropic-ai/sdk && node capture.mjs FOLDER
// The parameters are written by hand from the two vendors' documentation; nothing of hitless is used.
import http from "node:http";
import fs from "node:fs";
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

const folder = process.argv[2] ?? ".";
const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
const user = { role: "user", content: 'How is "web"?' };
const system = "You are terse.";
const openaiBase = { model: "m-1", messages: [{ role: "system", content: system }, user] };
const stream = { stream: true, stream_options: { include_usage: true } };
const questions = {
  openai_schema: { ...openaiBase, max_tokens: 100, response_format: { type: "json_schema", json_schema: { name: "diagnosis", strict: true, schema } }, ...stream },
  openai_tool: { ...openaiBase, max_tokens: 100, tools: [{ type: "function", function: { name: "diagnosis", description: "What is wrong.", parameters: schema, strict: true } }],
    tool_choice: { type: "function", function: { name: "diagnosis" } } },
  openai_plain: { ...openaiBase, max_completion_tokens: 100 },
  anthropic_tool: { model: "m-1", max_tokens: 100, system, messages: [user], tools: [{ name: "diagnosis", description: "What is wrong.", input_schema: schema }],
    tool_choice: { type: "tool", name: "diagnosis" }, stream: true },
};

// A model that looks before it answers: two calls in one turn and their results, one of them an error.
const look = { name: "service_status", description: "How it is.", parameters: { type: "object", properties: { service: { type: "string" } }, required: ["service"], additionalProperties: false } };
const openaiTools = [{ type: "function", function: look }, { type: "function", function: { name: "diagnosis", description: "What is wrong.", parameters: schema, strict: true } }];
const anthropicTools = [{ name: look.name, description: look.description, input_schema: look.parameters }, { name: "diagnosis", description: "What is wrong.", input_schema: schema }];
const calls = [["c1", { service: "web" }], ["c2", { service: "db" }]];
questions.openai_looks = { ...openaiBase, max_tokens: 100, tools: openaiTools, tool_choice: "required", ...stream };
questions.openai_looked = { ...openaiBase, max_tokens: 100, tools: openaiTools, tool_choice: { type: "function", function: { name: "diagnosis" } },
  messages: [...openaiBase.messages, { role: "assistant", content: "I look.", tool_calls: calls.map(([id, args]) => ({ id, type: "function", function: { name: look.name, arguments: JSON.stringify(args) } })) },
    { role: "tool", tool_call_id: "c1", content: "3 serving" }, { role: "tool", tool_call_id: "c2", content: "no such service" }] };
questions.anthropic_looks = { model: "m-1", max_tokens: 100, system, messages: [user], tools: anthropicTools, tool_choice: { type: "any" }, stream: true };
questions.anthropic_looked = { model: "m-1", max_tokens: 100, system, tools: anthropicTools, tool_choice: { type: "tool", name: "diagnosis" },
  messages: [user, { role: "assistant", content: [{ type: "text", text: "I look." }, ...calls.map(([id, input]) => ({ type: "tool_use", id, name: look.name, input }))] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "c1", content: "3 serving" }, { type: "tool_result", tool_use_id: "c2", content: "no such service", is_error: true }] }] };

const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const kept = {};
    for (const name of ["content-type", "accept", "authorization", "x-api-key", "anthropic-version"])
      if (request.headers[name]) kept[name] = request.headers[name];
    server.last = { method: request.method, path: request.url, headers: kept, body: JSON.parse(body) };
    response.writeHead(400, { "content-type": "application/json" });
    response.end('{"error":{"message":"captured","type":"invalid_request_error"}}');
  });
});
server.listen(0, "127.0.0.1", async () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const openai = new OpenAI({ apiKey: "a-key", baseURL: base + "/v1", maxRetries: 0 });
  const anthropic = new Anthropic({ apiKey: "a-key", authToken: null, baseURL: base, maxRetries: 0 });
  for (const [name, question] of Object.entries(questions)) {
    const call = name.startsWith("openai") ? openai.chat.completions.create(question) : anthropic.messages.create(question);
    await call.then(() => {}, () => {});
    fs.writeFileSync(`${folder}/${name}.json`, JSON.stringify(server.last, null, 1) + "\n");
  }
  server.close();
});
