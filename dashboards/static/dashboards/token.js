// The page that shows a token.

import { startCopying } from "./copy.js";

startCopying();
