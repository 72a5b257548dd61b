// The page that shows a token: what is on it can be copied.

import { startCopying } from "./copy.js";

startCopying();
