import { makePolicies } from "./network.js";
export default { render: () => {} };
