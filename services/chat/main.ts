import { SYSTEM_CLOCK } from '../shared/process/clock.ts';
import { runProcess } from '../shared/process/run-process.ts';
import { createChat } from './chat.ts';
import { readChatConfig } from './config.ts';

await runProcess({
  name: 'chat',
  env: process.env,
  defaultAdminPort: 9103,
  readConfig: readChatConfig,
  async main({ config, lifecycle, logger, registry }) {
    const neighbours = { webhookUrl: 'http://localhost:8090/webhook', relayPort: 8080 };
    const chat = createChat({ config, neighbours, registry, logger, clock: SYSTEM_CLOCK });
    const port = await lifecycle.start('chat', chat);
    logger.info({ port }, 'the chat listens');
  },
});
