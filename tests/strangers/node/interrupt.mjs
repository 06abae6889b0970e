// `@openai/agents-realtime`: a reply, and an interruption so long after its first sound.
import { existsSync, writeFileSync } from 'node:fs';
import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';
import { Inbox, MODEL, pieces, tell } from './talk.mjs';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const url = `${process.env.WS_URL}?model=${MODEL}`;
const session = new RealtimeSession(new RealtimeAgent({ name: 'teller' }), {
  model: MODEL,
  transport: new OpenAIRealtimeWebSocket({ url }),
});
const inbox = new Inbox();
session.on('error', () => {});
session.on('audio_interrupted', () => writeFileSync('interrupted', ''));
session.transport.on('*', (event) => inbox.put(event));

function speak() {
  for (const piece of pieces()) {
    session.sendAudio(new Uint8Array(piece).buffer);
  }
}

await session.connect({ apiKey: process.env.KEY, url, model: MODEL });
await inbox.until('session.updated', 2);
speak();
await inbox.until('response.output_audio.delta');
await pause(Number(process.env.AFTER_MS));
if (process.env.BY === 'voice') speak();
else session.interrupt();
while (!existsSync('done')) await pause(20);
tell({ step: 'done' });
session.close();
