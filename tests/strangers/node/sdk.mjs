// The official `openai` package over `ws`. What to do at an interruption is left to the program.
import net from 'node:net';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { Inbox, MODEL, last, pieces, tell } from './talk.mjs';

// The package speaks TLS only. The local server does not, so the socket below it is a plain one.
const plain = { createConnection: ({ host, port }) => net.connect({ host, port }) };
const client = new OpenAI({ apiKey: process.env.KEY, baseURL: process.env.BASE_URL });
const rt = new OpenAIRealtimeWS({ model: MODEL, options: plain }, client);
const inbox = new Inbox();
const refusals = new Inbox();
rt.on('event', (event) => inbox.put(event));
rt.on('error', (error) => refusals.put({ type: 'refusal', error }));

function speak() {
  for (const piece of pieces()) {
    rt.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') });
  }
}

function spoken(events) {
  const deltas = events.filter((event) => event.type === 'response.output_audio.delta');
  const bytes = deltas.reduce((sum, { delta }) => sum + Buffer.from(delta, 'base64').length, 0);
  return { said: last(events, 'response.output_audio_transcript.done').transcript, bytes };
}

async function converse() {
  await inbox.until('session.created');
  const parameters = { type: 'object', properties: { city: { type: 'string' } } };
  const tools = [{ type: 'function', name: 'weather', parameters }];
  const input = { transcription: { model: 'whisper-1' } };
  rt.send({ type: 'session.update', session: { type: 'realtime', tools, audio: { input } } });
  await inbox.until('session.updated');

  speak();
  tell({ step: 'greeting', ...spoken(await inbox.until('response.done')) });

  speak();
  const call = last(await inbox.until('response.done'), 'response.function_call_arguments.done');
  const item = { type: 'function_call_output', call_id: call.call_id, output: 'rain' };
  rt.send({ type: 'conversation.item.create', item });
  rt.send({ type: 'response.create' });
  const result = spoken(await inbox.until('response.done'));
  tell({ step: 'tool', name: call.name, arguments: call.arguments, ...result });

  speak();
  const story = last(await inbox.until('response.output_audio.delta', 3), 'response.output_audio.delta');
  speak();
  await inbox.until('input_audio_buffer.speech_started');
  const cut = { item_id: story.item_id, content_index: 0, audio_end_ms: 300 };
  rt.send({ type: 'conversation.item.truncate', ...cut });
  const cancelled = last(await inbox.until('response.done'), 'response.done').response;
  tell({ step: 'cancelled', status: cancelled.status, reason: cancelled.status_details.reason });
  const answer = await inbox.until('response.done');
  const [truncated] = await inbox.all('conversation.item.truncated', 1);
  tell({ step: 'interruption', asked: cut, truncated, ...spoken(answer) });
  const words = await inbox.all('conversation.item.input_audio_transcription.completed', 4);
  tell({ step: 'heard', words: words.map(({ transcript }) => transcript) });

  rt.send({ type: 'response.cancel', event_id: 'mine' });
  const { error } = await refusals.next();
  tell({ step: 'refusal', name: error.name, message: error.message, error: error.error });
}

rt.socket.on('close', (code) => tell({ step: 'closed', code }));
await converse();
rt.close();
