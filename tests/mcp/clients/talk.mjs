// One conversation of an official client with a server, as clients_test.py wants it:
//   talk.mjs sdk|legacy|modern stdio COMMAND [ARG…]   |   talk.mjs sdk|legacy|modern http URL TOKEN
// sdk: @modelcontextprotocol/sdk; legacy, modern: @modelcontextprotocol/client. Prints what it saw as one JSON line.
const [which, transport, target, ...rest] = process.argv.slice(2);

async function parts() {
  if (which === 'sdk') {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js');
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    return { Client, StdioClientTransport, StreamableHTTPClientTransport, options: { capabilities: {} } };
  }
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio');
  const mode = which === 'modern' ? { pin: '2026-07-28' } : 'legacy';
  return { Client, StdioClientTransport, StreamableHTTPClientTransport, options: { versionNegotiation: { mode } } };
}

const { Client, StdioClientTransport, StreamableHTTPClientTransport, options } = await parts();
const channel = transport === 'stdio'
  ? new StdioClientTransport({ command: target, args: rest, env: process.env, stderr: 'ignore' })
  : new StreamableHTTPClientTransport(new URL(target),
      { requestInit: { headers: { Authorization: `Bearer ${rest[0]}` } } });
const client = new Client({ name: 'hitless-tests', version: '1' }, options);
await client.connect(channel);
const { tools } = await client.listTools();  // the client compiles each output schema
const fleet = await client.callTool({ name: 'fleet_list', arguments: {} });  // and checks the answer against it
const wrong = await client.callTool({ name: 'service_status', arguments: { service: 'web', shell: 'id' } });
let unknown = null;
try {
  await client.callTool({ name: 'plan_create', arguments: { service: 'web', intent: 'restart', reason: 'x' } });
} catch (error) {
  unknown = error.code;
}
const { resources } = await client.listResources();
const read = await client.readResource({ uri: 'hitless://fleet' });
const { prompts } = await client.listPrompts();
const prompt = await client.getPrompt({ name: 'restart_safely', arguments: { service: 'web' } });
console.log(JSON.stringify({
  server: client.getServerVersion()?.name,
  version: client.getNegotiatedProtocolVersion?.() ?? channel.protocolVersion ?? null,
  tools: tools.map((tool) => tool.name),
  services: fleet.structuredContent.services.map((service) => service.service),
  wrong: [wrong.isError, wrong.content[0].text],
  unknown,
  resources: resources.map((resource) => resource.uri),
  read: JSON.parse(read.contents[0].text).services.length,
  prompts: prompts.length,
  prompt: prompt.messages[0].content.text,
}));
await client.close();
