// `@openai/agents-realtime`: a RealtimeSession over WebSocket, with its own logic of interruption.
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { z } from 'zod';
import { Inbox, MODEL, last, pieces, tell } from './talk.mjs';

const weather = tool({
  name: 'weather',
  description: "Today's weather",
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `rain in ${city}`,
});
const agent = new RealtimeAgent({ name: 'forecaster', instructions: 'Be brief.', tools: [weather] });
const url = `${process.env.WS_URL}?model=${MODEL}`;
const session = new RealtimeSession(agent, {
  model: MODEL,
  transport: new OpenAIRealtimeWebSocket({ url }),
});
const inbox = new Inbox();
const counts = { audio: 0, audio_interrupted: 0, agent_tool_start: 0, agent_tool_end: 0 };
for (const name of Object.keys(counts)) {
  session.on(name, () => {
    counts[name] += 1;
  });
}
const refusals = [];
session.on('error', ({ error }) => refusals.push(error));
session.transport.on('*', (event) => inbox.put(event));

function speak() {
  for (const piece of pieces()) {
    session.sendAudio(new Uint8Array(piece).buffer);
  }
}

function told(step, events) {
  const said = last(events, 'response.output_audio_transcript.done')?.transcript;
  tell({ step, said, counts: { ...counts }, history: history() });
}

function history() {
  return session.history.map((item) => ({
    id: item.itemId,
    type: item.type,
    role: item.role,
    status: item.status,
    said: item.content?.map((part) => part.transcript ?? part.text ?? null),
    output: item.output,
  }));
}

async function converse() {
  await session.connect({ apiKey: process.env.KEY, url, model: MODEL });
  await inbox.until('session.updated', 2);

  speak();
  told('greeting', await inbox.until('response.done'));

  speak();
  told('tool', await inbox.until('response.done', 2));

  speak();
  const story = last(await inbox.until('response.output_audio.delta', 3), 'response.output_audio.delta');
  speak();
  const before = await inbox.until('response.done');
  const after = await inbox.until('response.done');
  let seen = [...before, ...after];
  while (!seen.some(({ type, item }) => type === 'conversation.item.retrieved' && item.id === story.item_id)) {
    seen.push(await inbox.next());
  }
  told('interruption', after);

  session.transport.sendEvent({ type: 'conversation.item.delete', item_id: 'nobody', event_id: 'mine' });
  await inbox.until('error');
  tell({ step: 'refusal', refusals });
}

await converse();
session.close();
