import type { FastifyReply } from 'fastify';
import { corsHeaders } from './cors.js';

/** Answers 200 with JSON. Sent as bytes: the framework adds a charset to text, which official clients stumble over. */
export function sendJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply
    .headers({ ...corsHeaders, 'content-type': 'application/json' })
    .send(Buffer.from(JSON.stringify(value), 'utf8'));
}

/** Answers 200 with plain text, which may be empty. */
export function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply.headers({ ...corsHeaders, 'content-type': 'text/plain' }).send(Buffer.from(text, 'utf8'));
}
