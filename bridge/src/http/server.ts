/** Health and metrics for whoever watches over the service. */
import fastify, { type FastifyInstance } from 'fastify';

/** Why the service is not ready; empty when it is. */
export type Reasons = readonly string[];

export interface HttpOptions {
  /** Asked for at every call of /readyz; must not hang. */
  readonly notReady: () => Promise<Reasons>;
  readonly metrics: () => Promise<string>;
  readonly metricsContentType: string;
}

/**
 * /healthz: 200 while the process answers. /readyz: 200, or 503 with the reasons. /metrics: the
 * figures in Prometheus' text format. Reading only; no request has a body.
 */
export function createHttpServer(options: HttpOptions): FastifyInstance {
  const server = fastify({ bodyLimit: 1, forceCloseConnections: true });
  server.get('/healthz', () => ({ status: 'alive' }));
  server.get('/readyz', async (_, reply) => {
    const reasons = await options.notReady();
    const ready = reasons.length === 0;
    return reply
      .code(ready ? 200 : 503)
      .send(ready ? { status: 'ready' } : { status: 'not ready', reasons });
  });
  server.get('/metrics', async (_, reply) =>
    reply.type(options.metricsContentType).send(await options.metrics()),
  );
  return server;
}
